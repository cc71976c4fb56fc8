// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package caches defines what Latchkey's processes hold in memory of the cluster. It is
// a security boundary: a cache holds sealed values, never opened ones, and only the
// names and versions of foreign Secrets.
package caches

import (
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/keyring"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

// lastApplied is where kubectl keeps the manifest that it applied last.
const lastApplied = corev1.LastAppliedConfigAnnotation

// Only returns the namespaces that a cache sees: those named, or all if namespaces is
// empty.
func Only(namespaces []string) map[string]cache.Config {
	if len(namespaces) == 0 {
		return nil
	}
	only := make(map[string]cache.Config, len(namespaces))
	for _, n := range namespaces {
		only[n] = cache.Config{}
	}
	return only
}

// Controller returns the controller's main cache: the UserSecrets and AgentSecrets of
// the tenants, with briefs of those sealed values that are projected already, and of Secrets
// only the bundles, whose data digest replaces. They are chosen
// by their type, which nobody can change, so that none is out of sight whose label somebody
// took away. Tenants are the namespaces named, or all where none is named.
func Controller(digest toolscache.TransformFunc, tenants []string) cache.Options {
	return insist(cache.Options{
		DefaultTransform:  brief,
		DefaultNamespaces: Only(tenants),
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Secret{}: {
				Field:     fields.OneTermEqualSelector("type", v1alpha1.SecretTypeBundle),
				Transform: digest,
			},
		},
	})
}

// Server returns the server's main cache: the UserSecrets and AgentSecrets of the
// tenants, which are the namespaces named, or all where none is named, and the
// Namespaces. Of UserSecrets it has no sealed values, since REST never answers with one. It
// sees no Secret of any tenant.
func Server(tenants []string, w *Watches) cache.Options {
	return w.follow("", cache.Options{DefaultTransform: userBrief, DefaultNamespaces: Only(tenants)})
}

// Keys returns a cache of the sealing keys alone: Secrets of Latchkey's own
// namespace that have the keyring's label.
func Keys(cfg *rest.Config, scheme *runtime.Scheme, namespace string, w *Watches) (cache.Cache, error) {
	return cache.New(cfg, w.follow("keys", cache.Options{
		Scheme:            scheme,
		DefaultNamespaces: map[string]cache.Config{namespace: {}},
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Secret{}: {Label: mustSelect(keyring.LabelSealingKey)},
		},
	}))
}

// Named returns a cache of one object; namespace is empty for kinds without namespaces.
func Named(cfg *rest.Config, scheme *runtime.Scheme, kind client.Object, namespace, name string, w *Watches) (cache.Cache, error) {
	options := cache.Options{
		Scheme:   scheme,
		ByObject: map[client.Object]cache.ByObject{kind: {Field: fields.OneTermEqualSelector(metav1.ObjectNameField, name)}},
	}
	if namespace != "" {
		options.DefaultNamespaces = Only([]string{namespace})
	}
	return cache.New(cfg, w.follow(name, options))
}

// Endpoints returns a cache of the EndpointSlices of one of Latchkey's own Services.
func Endpoints(cfg *rest.Config, scheme *runtime.Scheme, namespace, service string) (cache.Cache, error) {
	return cache.New(cfg, insist(cache.Options{
		Scheme:            scheme,
		DefaultNamespaces: map[string]cache.Config{namespace: {}},
		ByObject: map[client.Object]cache.ByObject{
			&discoveryv1.EndpointSlice{}: {Label: labels.SelectorFromSet(labels.Set{discoveryv1.LabelServiceName: service})},
		},
	}))
}

// Own returns a cache of the names of Secrets and ConfigMaps in Latchkey's own
// namespace, to notice a deletion. It reads metadata only and stores only what it
// needs.
func Own(cfg *rest.Config, scheme *runtime.Scheme, namespace string) (cache.Cache, error) {
	return cache.New(cfg, insist(cache.Options{Scheme: scheme, DefaultTransform: nameAndVersion, DefaultNamespaces: Only([]string{namespace})}))
}

// slim drops the parts of an object that are not used.
func slim(obj any) (any, error) {
	o, ok := obj.(client.Object)
	if !ok {
		return obj, nil
	}
	o.SetManagedFields(nil)
	if a := o.GetAnnotations(); a[lastApplied] != "" {
		delete(a, lastApplied)
		o.SetAnnotations(a)
	}
	return obj, nil
}

// brief is slim, and puts a brief in the place of a sealed value that has reached its bundle:
// a sealed value is by far the largest part of an object, and such a one is not opened
// again unless something is lost. Then it is read from the API server.
func brief(obj any) (any, error) {
	switch o := obj.(type) {
	case *v1alpha1.UserSecret:
		if projected(o, &o.Status) {
			o.Spec.SealedValue = seal.Brief(o.Spec.SealedValue)
		}
	case *v1alpha1.AgentSecret:
		if projected(o, &o.Status) {
			o.Spec.SealedValue = seal.Brief(o.Spec.SealedValue)
		}
	}
	return slim(obj)
}

// userBrief is slim, and puts a brief in the place of each user secret's sealed value.
func userBrief(obj any) (any, error) {
	if o, ok := obj.(*v1alpha1.UserSecret); ok {
		o.Spec.SealedValue = seal.Brief(o.Spec.SealedValue)
	}
	return slim(obj)
}

// projected reports whether a status says that the object as it is was projected.
func projected(obj client.Object, st *v1alpha1.SecretStatus) bool {
	return st.ObservedGeneration == obj.GetGeneration() && apimeta.IsStatusConditionTrue(st.Conditions, v1alpha1.ConditionReady)
}

func nameAndVersion(obj any) (any, error) {
	m, ok := obj.(*metav1.PartialObjectMetadata)
	if !ok {
		return obj, nil
	}
	m.ObjectMeta = metav1.ObjectMeta{
		Namespace:       m.Namespace,
		Name:            m.Name,
		UID:             m.UID,
		ResourceVersion: m.ResourceVersion,
	}
	return m, nil
}

// mustSelect returns the selector of objects with a label.
func mustSelect(label string) labels.Selector {
	s, err := labels.Parse(label)
	if err != nil {
		panic("caches: a constant label is not valid: " + label)
	}
	return s
}
