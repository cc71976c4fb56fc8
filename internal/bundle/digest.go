// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"maps"
	"slices"
	"strconv"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/digest"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

// Input digests what the entries of one object depend on, besides their keys: the
// object, its sealed value or the version of its source Secret, its path and type. It
// reveals nothing about a value.
func Input(key digest.Key, namespace string, it Item, sourceVersion string) digest.Short {
	parts := []string{string(it.UID), seal.Brief(it.Sealed)} // the cache may have the brief or the text
	if ref := it.Source; ref != nil {
		parts = append(parts, "source", ref.Name, ref.Key, sourceVersion)
	}
	if it.Type != nil {
		t, _ := it.Type.MarshalStored() // a parsed type can always be printed
		parts = append(append(parts, "typed", string(t)), it.Path...)
	}
	return key.Short(digest.PurposeInput, namespace, parts...)
}

// KeptInput is the input of entries that were retained because the value for that input
// was not available.
func KeptInput(key digest.Key, namespace string, input digest.Short) digest.Short {
	return key.Short(digest.PurposeInput, namespace, "kept", string(input[:]))
}

// TreeInput is the input of the typed document: its paths and types, and the digests of
// their entries in the bundle.
func TreeInput(key digest.Key, namespace string, ds []Decision, entries Digests) digest.Short {
	parts := []string{"document"}
	for _, d := range ds {
		t, _ := d.Item.Type.MarshalStored()
		e := entries[d.Outcome.File.Key]
		parts = append(parts, string(t), string(e[:]), strconv.Itoa(len(d.Item.Path)))
		parts = append(parts, d.Item.Path...)
	}
	return key.Short(digest.PurposeInput, namespace, parts...)
}

// Digests are keyed digests of the entries of a bundle, by their keys.
type Digests map[string]digest.Short

// EntryDigest digests one entry of a bundle with key. The same value under another
// name, or in another namespace or bundle, has another digest.
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

// MAC digests the content of a bundle with key. It shows whether the content is what
// Latchkey wrote, and reveals nothing about it without the key. The same content in
// another namespace or bundle has another digest. layout is what Layout returned for
// the bundle.
func MAC(key digest.Key, namespace, bundle string, entries Digests, layout string) string {
	parts := append(make([]string, 0, 2+2*len(entries)), bundle, layout)
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		d := entries[name]
		parts = append(parts, name, string(d[:]))
	}
	return key.Sum(digest.PurposeBundle, namespace, parts...)
}

// Layout digests, with key, the paths in pods of those keys of a bundle that have a
// path of their own; it returns "" if there are none. A new path for a value changes no
// data, but pods must restart for it.
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

// IsBundle reports whether name is the name of a bundle.
func IsBundle(name string) bool {
	switch name {
	case v1alpha1.BundleUserEnv, v1alpha1.BundleUserFiles, v1alpha1.BundleAgentEnv, v1alpha1.BundleAgentFiles:
		return true
	}
	return false
}
