// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package ui

import (
	"context"
	"net/http"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	authorizationclient "k8s.io/client-go/kubernetes/typed/authorization/v1"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
)

const (
	// manyNamespaces bounds how many rights are asked for, one by one.
	manyNamespaces = 300
	rightsAtOnce   = 8
)

// namespaces offers those in which the person may list user secrets, or none: who may not
// list namespaces types the name.
func (s *Server) namespaces(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := asking(r)
	defer cancel()
	var names []string
	found, err := s.cluster.Core.Namespaces().List(ctx, metav1.ListOptions{Limit: manyNamespaces})
	if err == nil {
		names, err = s.listable(ctx, found.Items)
	}
	if err != nil {
		names = nil // the field takes any name still
	}
	s.render(w, http.StatusOK, "namespaces", names)
}

// has asks whether the person may list user secrets; "" asks for all namespaces.
func has(ctx context.Context, client authorizationclient.AuthorizationV1Interface, namespace string) (bool, error) {
	answer, err := client.SelfSubjectAccessReviews().Create(ctx, &authorizationv1.SelfSubjectAccessReview{
		Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: namespace, Verb: "list", Group: v1alpha1.GroupVersion.Group, Resource: cluster.UserSecrets,
		}},
	}, metav1.CreateOptions{})
	return err == nil && answer.Status.Allowed, err
}

func (s *Server) listable(ctx context.Context, all []corev1.Namespace) ([]string, error) {
	client, err := authorizationclient.NewForConfig(s.cluster.Config)
	if err != nil {
		return nil, err
	}
	everywhere, err := has(ctx, client, "")
	if err != nil {
		return nil, err
	}
	var names []string
	var lock sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(rightsAtOnce)
	for _, n := range all {
		group.Go(func() error {
			may := everywhere
			if !may {
				var err error
				if may, err = has(ctx, client, n.Name); err != nil {
					return err
				}
			}
			if may {
				lock.Lock()
				defer lock.Unlock()
				names = append(names, n.Name)
			}
			return nil
		})
	}
	err = group.Wait()
	slices.Sort(names)
	return names, err
}
