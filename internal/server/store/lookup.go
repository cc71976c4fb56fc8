// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/policy"
	"github.com/latchkey-dev/latchkey/internal/recheck"
)

// An object that is not in the cache may have been written a moment ago by other means
// than REST, such as kubectl. So a miss is looked up at the API server once. If the
// object exists, the request waits until the cache has it, too. Then everything that
// the request does afterwards, and all later requests, see the object.

// byName are the lookups of a namespace's user secrets by their documented names.
type byName = recheck.Lookups[string, map[string]Mark]

func newByName(live client.Reader) *byName {
	return recheck.New(func(ctx context.Context, namespace string) (map[string]Mark, error) {
		list := &v1alpha1.UserSecretList{}
		if err := live.List(ctx, list, client.InNamespace(namespace)); err != nil {
			return nil, refused("look up UserSecrets", err)
		}
		found := map[string]Mark{}
		for _, u := range policy.Visible(list.Items) {
			mark := versionMark(u)
			if mark.Version >= found[u.SecretName()].Version {
				found[u.SecretName()] = mark
			}
		}
		return found, nil
	})
}

// byID are the lookups of agent secrets by UID, in all namespaces.
type byID = recheck.Lookups[struct{}, map[types.UID]Mark]

func newByID(live client.Reader, namespaces []string) *byID {
	if len(namespaces) == 0 {
		namespaces = []string{corev1.NamespaceAll}
	}
	return recheck.New(func(ctx context.Context, _ struct{}) (map[types.UID]Mark, error) {
		found := map[types.UID]Mark{}
		for _, namespace := range namespaces {
			// The API server cannot select by UID. Without specs, the list is still
			// small.
			list := &metav1.PartialObjectMetadataList{}
			list.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("AgentSecretList"))
			if err := live.List(ctx, list, client.InNamespace(namespace)); err != nil {
				return nil, refused("look up AgentSecrets", err)
			}
			for i := range list.Items {
				if o := &list.Items[i]; o.DeletionTimestamp.IsZero() {
					found[o.UID] = versionMark(o)
				}
			}
		}
		return found, nil
	})
}
