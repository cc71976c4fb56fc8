// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/digest"
)

// Inputs digests everything that the content of one bundle depends on: the objects
// that are to be in it, their targets, types and sealed values, or the versions of
// the Secrets that their values come from. It holds ciphertexts only.
func Inputs(ds []Decision, bundle string, sources map[types.UID]string) string {
	h := sha256.New()
	write(h, "latchkey inputs v1", bundle)
	for _, d := range ds {
		at := d.Outcome.Env
		if at == nil || at.SecretName != bundle {
			at = d.Outcome.File
		}
		if !d.Open || at == nil || at.SecretName != bundle {
			continue
		}
		write(h, string(d.Item.UID), at.Key, d.Item.File, d.Item.Sealed)
		for _, s := range d.Item.Path {
			write(h, s)
		}
		if t, err := d.Item.Type.MarshalStored(); err == nil { // an agent secret's
			write(h, string(t))
		}
		if ref := d.Item.Source; ref != nil {
			write(h, ref.Name, ref.Key, sources[d.Item.UID])
		}
	}
	return encode(h)
}

// Digests are keyed digests of the entries of a bundle, by their keys.
type Digests map[string]digest.Short

// EntryDigest digests one entry of a bundle under key. The same value under another key,
// or in another namespace or bundle, has another digest.
func EntryDigest(key digest.Key, namespace, bundle, name string, value []byte) digest.Short {
	return key.Short(digest.PurposeEntry, namespace, bundle, name, string(value))
}

// DigestsOf digests the entries of a bundle.
func DigestsOf(key digest.Key, namespace, bundle string, data map[string][]byte) Digests {
	out := make(Digests, len(data))
	for name, value := range data {
		out[name] = EntryDigest(key, namespace, bundle, name, value)
	}
	return out
}

// MAC digests the content of a bundle of a namespace under key: it shows whether the
// content is what Latchkey wrote, and says nothing about it to anybody without the
// key. The same content in another namespace or bundle has another digest.
// Layout is what Layout returned for the bundle.
func MAC(key digest.Key, namespace, bundle string, entries Digests, layout string) string {
	parts := append(make([]string, 0, 2+2*len(entries)), bundle, layout)
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		d := entries[name]
		parts = append(parts, name, string(d[:]))
	}
	return key.Sum(digest.PurposeBundle, namespace, parts...)
}

// Layout digests, under key, the paths of their own that a bundle's keys have in pods;
// it returns "" where there are none. A value at another path changes no data, and pods
// have to start again for it nevertheless.
func Layout(key digest.Key, namespace, bundle string, paths map[string]string) string {
	if len(paths) == 0 {
		return ""
	}
	parts := append(make([]string, 0, 1+2*len(paths)), bundle)
	for _, k := range slices.Sorted(maps.Keys(paths)) {
		parts = append(parts, k, paths[k])
	}
	return key.Sum(digest.PurposeLayout, namespace, parts...)
}

// IsBundle tells whether a Secret's name is one of the bundles'.
func IsBundle(name string) bool {
	switch name {
	case v1alpha1.BundleUserEnv, v1alpha1.BundleUserFiles, v1alpha1.BundleAgentEnv, v1alpha1.BundleAgentFiles:
		return true
	}
	return false
}

// write adds parts, each behind its length, so that no two lists digest alike.
func write(h hash.Hash, parts ...string) {
	var n [8]byte
	for _, p := range parts {
		binary.BigEndian.PutUint64(n[:], uint64(len(p)))
		h.Write(n[:])
		h.Write([]byte(p))
	}
}

func encode(h hash.Hash) string { return base64.RawURLEncoding.EncodeToString(h.Sum(nil)) }
