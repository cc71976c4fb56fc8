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
	pool := &sync.Pool{}
	pool.New = func() any { return &Parts{hash: hmac.New(sha256.New, b), pool: pool} }
	return Key{b: b, digesters: pool}, true
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

// ShortLen is the length of a short digest in bytes. It suffices against a search for
// content with a given digest, which needs the key.
const ShortLen = 12

// Short is a digest for places with many digests.
type Short [ShortLen]byte

// Sum returns the digest of parts for a purpose in a namespace, as unpadded URL-safe
// base64. It is HMAC-SHA256 over purpose, namespace and parts, each preceded by its
// length, so that no two lists of parts have the same input.
func (k Key) Sum(purpose Purpose, namespace string, parts ...string) string {
	return k.of(purpose, namespace, parts).Sum()
}

// Short returns the digest that Sum returns, truncated.
func (k Key) Short(purpose Purpose, namespace string, parts ...string) Short {
	return k.of(purpose, namespace, parts).Short()
}

func (k Key) of(purpose Purpose, namespace string, parts []string) *Parts {
	p := k.Parts(purpose, namespace)
	p.Text(parts...)
	return p
}

// Parts begins a digest whose parts are added one after another, which takes no memory
// for them. Sum or Short ends it.
func (k Key) Parts(purpose Purpose, namespace string) *Parts {
	p := k.digesters.Get().(*Parts) //nolint:errcheck // it contains nothing else
	p.hash.Reset()
	p.Text(string(purpose), namespace)
	return p
}

// Parts is a digest that is being made. It is reused after its end, because a tenant's
// change takes thousands.
type Parts struct {
	hash hash.Hash
	pool *sync.Pool
	// buffer has what the hash has not got yet. No value stays in it.
	buffer [512]byte
	used   int
}

// Text adds parts.
func (p *Parts) Text(parts ...string) {
	for _, part := range parts {
		p.length(len(part))
		for part != "" {
			part = part[p.took(copy(p.room(1), part)):]
		}
	}
}

// Bytes adds a part. One generic function for both would take memory for each part.
func (p *Parts) Bytes(part []byte) {
	p.length(len(part))
	for len(part) > 0 {
		part = part[p.took(copy(p.room(1), part)):]
	}
}

// length adds the length of a part, which precedes it.
func (p *Parts) length(n int) {
	binary.BigEndian.PutUint64(p.room(8), uint64(n)) //nolint:gosec // a length
	p.took(8)
}

// room returns at least n bytes of the buffer.
func (p *Parts) room(n int) []byte {
	if len(p.buffer)-p.used < n {
		p.flush()
	}
	return p.buffer[p.used:]
}

func (p *Parts) took(n int) int {
	p.used += n
	return n
}

func (p *Parts) flush() {
	p.hash.Write(p.buffer[:p.used])
	clear(p.buffer[:p.used])
	p.used = 0
}

// Sum ends the digest and returns it as Key.Sum does.
func (p *Parts) Sum() string {
	sum := p.end()
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Short ends the digest and returns it truncated.
func (p *Parts) Short() Short {
	sum := p.end()
	return Short(sum[:ShortLen])
}

func (p *Parts) end() (sum [sha256.Size]byte) {
	p.flush()
	copy(sum[:], p.hash.Sum(p.buffer[:0]))
	p.pool.Put(p)
	return sum
}

// Equal reports whether two digests are the same, in constant time.
func Equal(a, b string) bool { return hmac.Equal([]byte(a), []byte(b)) }
