// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package digest makes the keyed digests that Latchkey publishes where tenants can read
// them. Each is bound to a purpose and a namespace, so equal content has different
// digests in two places: a tenant cannot compare its own content with another tenant's.
// It is pure: bytes in, bytes out.
package digest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash"
	"sync"
)

// KeyLen is the length of a key in bytes.
const KeyLen = 32

// Key is the cluster's key for digests. It prints as [redacted].
type Key struct {
	b         []byte
	digesters *sync.Pool
}

// NewKey returns a key of KeyLen bytes.
func NewKey(b []byte) (Key, bool) {
	if len(b) != KeyLen {
		return Key{}, false
	}
	b = append([]byte(nil), b...)
	return Key{b: b, digesters: &sync.Pool{New: func() any { return &digester{hash: hmac.New(sha256.New, b)} }}}, true
}

// Bytes returns a copy of the key, for storing it.
func (k Key) Bytes() []byte { return append([]byte(nil), k.b...) }

// String implements fmt.Stringer.
func (Key) String() string { return "[redacted]" }

// GoString implements fmt.GoStringer.
func (Key) GoString() string { return "[redacted]" }

// Purpose separates the uses of a key: digests of two purposes are unrelated.
type Purpose string

// The purposes.
const (
	// PurposeBundle is the content of a bundle, in an annotation of it and in caches.
	PurposeBundle Purpose = "bundle content v3"
	// PurposeEntry is one entry of a bundle, in caches and in the bundle's record.
	PurposeEntry Purpose = "bundle entry v1"
	// PurposeName is the name of one entry of a bundle, in the bundle's record.
	PurposeName Purpose = "bundle entry name v1"
	// PurposeInput is what one entry of a bundle was made from, in the bundle's record.
	PurposeInput Purpose = "bundle input v1"
	// PurposeRecord is a bundle's record as a whole, in itself.
	PurposeRecord Purpose = "bundle record v1"
	// PurposeLayout is the paths of a bundle's files, in an annotation of it.
	PurposeLayout Purpose = "bundle layout v1"
	// PurposeWorkload is what a workload's pods were started with, in annotations of
	// workloads and of pod templates.
	PurposeWorkload Purpose = "workload content v2"
	// PurposePassedConnection is a proof between replicas of the server, in no namespace.
	PurposePassedConnection Purpose = "passed connection v1"
	// PurposeApproval is an approval of a source, in an annotation of a UserSecret.
	PurposeApproval Purpose = "source approval v1"
)

// Sum returns the digest of parts for a purpose in a namespace, as unpadded URL-safe
// base64. It is HMAC-SHA256 over purpose, namespace and parts, each preceded by its
// length, so that no two lists of parts have the same input.
func (k Key) Sum(purpose Purpose, namespace string, parts ...string) string {
	sum := k.mac(purpose, namespace, parts)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// ShortLen is the length of a short digest in bytes. It suffices against a search for
// content with a given digest, which needs the key.
const ShortLen = 12

// Short is a digest for places with many digests.
type Short [ShortLen]byte

// Short returns the digest that Sum returns, truncated.
func (k Key) Short(purpose Purpose, namespace string, parts ...string) Short {
	sum := k.mac(purpose, namespace, parts)
	return Short(sum[:ShortLen])
}

func (k Key) mac(purpose Purpose, namespace string, parts []string) (sum [sha256.Size]byte) {
	d := k.digesters.Get().(*digester) //nolint:errcheck // it contains nothing else
	defer k.digesters.Put(d)
	d.hash.Reset()
	d.write(string(purpose))
	d.write(namespace)
	for _, p := range parts {
		d.write(p)
	}
	d.hash.Sum(sum[:0])
	return sum
}

// digester is the state for making a digest, which is reused: a tenant's change takes
// thousands.
type digester struct {
	hash    hash.Hash
	scratch [512]byte
}

// write writes a part after its length. Parts can be values, so none stays in scratch.
func (d *digester) write(part string) {
	binary.BigEndian.PutUint64(d.scratch[:], uint64(len(part)))
	n := 8
	for {
		copied := copy(d.scratch[n:], part)
		d.hash.Write(d.scratch[:n+copied])
		if part = part[copied:]; part == "" {
			break
		}
		n = 0
	}
	clear(d.scratch[:])
}

// Equal reports whether two digests are the same, in constant time.
func Equal(a, b string) bool { return hmac.Equal([]byte(a), []byte(b)) }
