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
	p := key.Parts(digest.PurposeInput, namespace)
	p.Text(string(it.UID), seal.Brief(it.Sealed)) // the cache may have the brief or the text
	if ref := it.Source; ref != nil {
		p.Text("source", ref.Name, ref.Key, sourceVersion)
	}
	if it.Type != nil {
		p.Text("typed", it.Type.Stored())
		p.Text(it.Path...)
	}
	return p.Short()
}

// KeptInput is the input of entries that were retained because the value for that input
// was not available.
func KeptInput(key digest.Key, namespace string, input digest.Short) digest.Short {
	p := key.Parts(digest.PurposeInput, namespace)
	p.Text("kept")
	p.Bytes(input[:])
	return p.Short()
}

// TreeInput is the input of the typed document: its paths and types, and the digests of
// their entries in the bundle.
func TreeInput(key digest.Key, namespace string, ds []*Decision, entries Digests) digest.Short {
	p := key.Parts(digest.PurposeInput, namespace)
	p.Text("document")
	for _, d := range ds {
		e := entries[d.Outcome.File.Key]
		p.Text(d.Item.Type.Stored())
		p.Bytes(e[:])
		p.Text(strconv.Itoa(len(d.Item.Path)))
		p.Text(d.Item.Path...)
	}
	return p.Short()
}

// Digests are keyed digests of the entries of a bundle, by their keys.
type Digests map[string]digest.Short

// EntryDigest digests one entry of a bundle with key. The same value under another
// name, or in another namespace or bundle, has another digest.
func EntryDigest(key digest.Key, namespace, bundle, name string, value []byte) digest.Short {
	p := key.Parts(digest.PurposeEntry, namespace)
	p.Text(bundle, name)
	p.Bytes(value)
	return p.Short()
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
	p := key.Parts(digest.PurposeBundle, namespace)
	p.Text(bundle, layout)
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		d := entries[name]
		p.Text(name)
		p.Bytes(d[:])
	}
	return p.Sum()
}

// Layout digests, with key, the paths in pods of those keys of a bundle that have a
// path of their own; it returns "" if there are none. A new path for a value changes no
// data, but pods must restart for it.
func Layout(key digest.Key, namespace, bundle string, paths map[string]string) string {
	if len(paths) == 0 {
		return ""
	}
	p := key.Parts(digest.PurposeLayout, namespace)
	p.Text(bundle)
	for _, k := range slices.Sorted(maps.Keys(paths)) {
		p.Text(k, paths[k])
	}
	return p.Sum()
}

// IsBundle reports whether name is the name of a bundle.
func IsBundle(name string) bool {
	switch name {
	case v1alpha1.BundleUserEnv, v1alpha1.BundleUserFiles, v1alpha1.BundleAgentEnv, v1alpha1.BundleAgentFiles:
		return true
	}
	return false
}
