// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundler

import (
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/bundle"
	"github.com/latchkey-dev/latchkey/internal/digest"
)

// A cached bundle has no data. Instead, its stringData, which the API server never
// sends, has a keyed digest for each key and, at cachedMAC, the digest of the whole. No
// key is empty.
const cachedMAC = ""

// Digested returns a cache transform that replaces a bundle's data with keyed digests,
// so that no cache holds a value. It does not transform an object twice: informers that
// stream their first list call it twice for every object.
func Digested(key digest.Key) func(any) (any, error) {
	return func(obj any) (any, error) {
		secret, ok := obj.(*corev1.Secret)
		if !ok {
			return obj, nil
		}
		if _, done := secret.StringData[cachedMAC]; done {
			return secret, nil
		}
		entries := bundle.DigestsOf(key, secret.Namespace, secret.Name, secret.Data)
		secret.StringData = make(map[string]string, len(entries)+1)
		var all strings.Builder // all digests have one piece of memory
		all.Grow(len(entries) * digest.ShortLen)
		for name, d := range entries {
			all.Write(d[:])
			secret.StringData[name] = all.String()[all.Len()-digest.ShortLen:]
		}
		secret.StringData[cachedMAC] = bundle.MAC(key, secret.Namespace, secret.Name, entries, secret.Annotations[v1alpha1.AnnotationLayout])
		secret.Data = nil
		secret.ManagedFields = nil
		// If a tenant applied a Secret with the label, kubectl stored its data in this
		// annotation.
		delete(secret.Annotations, corev1.LastAppliedConfigAnnotation)
		return secret, nil
	}
}

// holds reports whether a cached bundle has an entry with a digest.
func holds(cached *corev1.Secret, name string, d digest.Short) bool {
	if cached == nil {
		return false
	}
	got, has := cached.StringData[name]
	return has && name != cachedMAC && got == string(d[:])
}
