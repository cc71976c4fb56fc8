// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"slices"
	"time"

	"github.com/latchkey-dev/latchkey/internal/digest"
)

// Made says how one entry of a bundle came to be.
type Made struct {
	// Input is the digest of what it was made from.
	Input digest.Short
	// Digest is the entry's own, see EntryDigest.
	Digest digest.Short
	// Since is when the write that carried it was sent.
	Since time.Time
	// Shape is what the value is like.
	Shape Shape
}

// Shape is what has to be known of a value to lay it out without having it.
type Shape struct {
	// Raw and Doc are its lengths in bytes: as an entry, and in the typed document.
	Raw, Doc int
	// Problem says why it cannot be a variable.
	Problem Problem
}

// Record says how the entries of one bundle came to be. It is written on the bundle, so
// that whoever begins to reconcile it need not open a value to know that it is as it
// should be.
type Record struct {
	key               digest.Key
	namespace, bundle string
	entries           map[name]Made
}

// name stands for the key of an entry: keys can be long.
type name [nameLen]byte

const (
	nameLen  = 8
	entryLen = nameLen + 2*digest.ShortLen + 8 + 2*4 + 1
	// maxRecorded bounds a record to a part of the 256 KiB that the API server allows an
	// object's annotations. How entries beyond it came to be is not written down: they
	// are opened again after a restart.
	maxRecorded = 2000
)

// NewRecord returns the empty record of a bundle.
func NewRecord(key digest.Key, namespace, bundle string) *Record {
	return &Record{key: key, namespace: namespace, bundle: bundle, entries: map[name]Made{}}
}

// ParseRecord reads a record as it stands on a bundle. One that Latchkey did not make
// for this bundle counts as empty.
func ParseRecord(key digest.Key, namespace, bundle, text string) *Record {
	r := NewRecord(key, namespace, bundle)
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) < digest.ShortLen {
		return r
	}
	body, sum := b[:len(b)-digest.ShortLen], b[len(b)-digest.ShortLen:]
	if want := r.sum(body); !digest.Equal(string(sum), string(want[:])) {
		return r
	}
	for ; len(body) >= entryLen; body = body[entryLen:] {
		var n name
		var m Made
		rest := body[copy(n[:], body):]
		rest = rest[copy(m.Input[:], rest):]
		rest = rest[copy(m.Digest[:], rest):]
		m.Since = time.UnixMicro(int64(binary.BigEndian.Uint64(rest))).UTC() //nolint:gosec // it was written from an int64
		m.Shape = Shape{
			Raw: int(binary.BigEndian.Uint32(rest[8:])), Doc: int(binary.BigEndian.Uint32(rest[12:])),
			Problem: Problem(rest[16]),
		}
		r.entries[n] = m
	}
	return r
}

// Cut forgets what is too much to be written down.
func (r *Record) Cut() {
	if len(r.entries) <= maxRecorded {
		return
	}
	for _, n := range r.names()[maxRecorded:] {
		delete(r.entries, n)
	}
}

func (r *Record) names() []name {
	names := make([]name, 0, len(r.entries))
	for n := range r.entries {
		names = append(names, n)
	}
	slices.SortFunc(names, func(a, b name) int { return bytes.Compare(a[:], b[:]) })
	return names
}

// String returns the record as text.
func (r *Record) String() string {
	body := make([]byte, 0, len(r.entries)*entryLen+digest.ShortLen)
	for _, n := range r.names() {
		m := r.entries[n]
		body = append(body, n[:]...)
		body = append(body, m.Input[:]...)
		body = append(body, m.Digest[:]...)
		body = binary.BigEndian.AppendUint64(body, uint64(m.Since.UnixMicro()))
		body = binary.BigEndian.AppendUint32(body, uint32(m.Shape.Raw)) //nolint:gosec // shorter than a Secret
		body = binary.BigEndian.AppendUint32(body, uint32(m.Shape.Doc)) //nolint:gosec // as above
		body = append(body, byte(m.Shape.Problem))
	}
	sum := r.sum(body)
	return base64.RawURLEncoding.EncodeToString(append(body, sum[:]...))
}

// Get returns how an entry came to be.
func (r *Record) Get(key string) (Made, bool) {
	m, ok := r.entries[r.name(key)]
	return m, ok
}

// Put writes down how an entry came to be.
func (r *Record) Put(key string, m Made) { r.entries[r.name(key)] = m }

func (r *Record) name(key string) name {
	d := r.key.Short(digest.PurposeName, r.namespace, r.bundle, key)
	return name(d[:nameLen])
}

// sum makes sure that the parts of a record belong together, and to this bundle.
func (r *Record) sum(body []byte) digest.Short {
	return r.key.Short(digest.PurposeRecord, r.namespace, r.bundle, string(body))
}
