// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	authenticationv1client "k8s.io/client-go/kubernetes/typed/authentication/v1"
	authorizationv1client "k8s.io/client-go/kubernetes/typed/authorization/v1"
)

// Self returns who the cluster says the caller is.
func (c *Cluster) Self(ctx context.Context) (authenticationv1.UserInfo, error) {
	client, err := authenticationv1client.NewForConfig(c.Config)
	if err != nil {
		return authenticationv1.UserInfo{}, err
	}
	review, err := client.SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		return authenticationv1.UserInfo{}, Explain(err)
	}
	return review.Status.UserInfo, nil
}

// Lacks returns those of some rights that the caller does not have.
func (c *Cluster) Lacks(ctx context.Context, rights []Right) ([]Right, error) {
	client, err := authorizationv1client.NewForConfig(c.Config)
	if err != nil {
		return nil, err
	}
	var lacks []Right
	for _, r := range rights {
		var without []string
		for _, name := range orNone(r.Names) {
			resource, sub, _ := strings.Cut(r.Resource, "/")
			review, err := client.SelfSubjectAccessReviews().Create(ctx, &authorizationv1.SelfSubjectAccessReview{
				Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
					Namespace: r.Namespace, Verb: r.Verb, Group: r.Group, Resource: resource, Subresource: sub, Name: name,
				}},
			}, metav1.CreateOptions{})
			if err != nil {
				return nil, Explain(err)
			}
			if !review.Status.Allowed {
				without = append(without, name)
			}
		}
		if len(without) > 0 {
			if len(r.Names) > 0 {
				r.Names = without
			}
			lacks = append(lacks, r)
		}
	}
	return lacks, nil
}

// orNone is the list of names to ask about: one without a name where there are none.
func orNone(names []string) []string {
	if len(names) == 0 {
		return []string{""}
	}
	return names
}
