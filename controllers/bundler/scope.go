// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundler

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/bundle"
)

// scope is what one reconcile has read and worked out.
type scope struct {
	// namespace is the tenant. Set at the start.
	namespace string
	// members are the tenant's objects, those being deleted left out. Set by read.
	members map[types.UID]Member
	// existing are the tenant's bundles as cached, without data. A Secret that has
	// the label and not the type is not Latchkey's and not in here. Set by read.
	existing map[string]*corev1.Secret
	// sources are the resourceVersions of the Secrets that members take their
	// values from; "" where there is none. Set by read.
	sources map[types.UID]string
	// decisions are the members in the order of their claims. Set by decide.
	decisions []bundle.Decision
	// live are the tenant's bundles with their data, those that are as Latchkey wrote
	// them first. Set by keep, where a value's key is lost.
	live []*corev1.Secret
	// memo is what is known of the contents. Set by open.
	memo *memo
	// contents are the bundles' contents; nil where the memo sufficed. Set by open.
	contents map[string]bundle.Contents
	// setback is what is known of bundles that could not be written; nil where all were.
	// Set by open, where it is too early to try again, or by apply.
	setback *setback
}

// read takes the tenant's state from the caches.
func (r *Reconciler) read(ctx context.Context, namespace string) (*scope, error) {
	s := &scope{
		namespace: namespace,
		members:   map[types.UID]Member{},
		existing:  map[string]*corev1.Secret{},
		sources:   map[types.UID]string{},
	}
	members, err := r.Adapter.List(ctx, r.Client, namespace)
	if err != nil {
		return nil, fmt.Errorf("list %ss: %w", r.Adapter.Kind, err)
	}
	for _, m := range members {
		if !m.Object.GetDeletionTimestamp().IsZero() {
			continue
		}
		s.members[m.Item.UID] = m
		if m.Item.Source == nil {
			continue
		}
		version, err := r.sourceVersion(ctx, namespace, m.Item.Source.Name)
		if err != nil {
			return nil, err
		}
		s.sources[m.Item.UID] = version
	}
	for _, name := range []string{r.Adapter.EnvBundle, r.Adapter.FilesBundle} {
		secret := &corev1.Secret{}
		err := r.Client.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, secret)
		switch {
		case err == nil && secret.Type == v1alpha1.SecretTypeBundle:
			s.existing[name] = secret
		case client.IgnoreNotFound(err) != nil:
			return nil, fmt.Errorf("get bundle %s: %w", name, err)
		}
	}
	return s, nil
}

// sourceVersion returns the resourceVersion of a Secret, or "" where it does not
// exist.
func (r *Reconciler) sourceVersion(ctx context.Context, namespace, name string) (string, error) {
	meta := &metav1.PartialObjectMetadata{}
	meta.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	err := r.Sources.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, meta)
	if apierrors.IsNotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("get metadata of Secret %s: %w", name, err)
	}
	return meta.ResourceVersion, nil
}

// decide judges the objects without their values.
func (r *Reconciler) decide(_ context.Context, s *scope) error {
	items := make([]bundle.Item, 0, len(s.members))
	for _, m := range s.members {
		items = append(items, m.Item)
	}
	s.decisions = r.Adapter.Decide(items)
	return nil
}
