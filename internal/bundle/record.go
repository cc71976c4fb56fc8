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

// Made is how one entry of a bundle was made.
type Made struct {
	// Input is the digest of what it was made from.
	Input digest.Short
	// Digest is the digest of the entry, see EntryDigest.
	Digest digest.Short
	// Since is when the write that carried it was sent.
	Since time.Time
	// Shape describes the value.
	Shape Shape
}

// Shape is what the layout needs to know about a value, without the value.
type Shape struct {
	// Raw and Doc are its lengths in bytes: as an entry, and in the typed document.
	Raw, Doc int
	// Problem is why it cannot be a variable.
	Problem Problem
}

// Record describes how the entries of one bundle were made. It is stored on the bundle.
// So a process that starts to reconcile the bundle can see that an entry is right
// without opening its value. It is not safe for concurrent use.
type Record struct {
	key               digest.Key
	namespace, bundle string
	entries           map[name]Made
	// names are the names of keys that were looked up.
	names map[string]name
	// valid is true if the record was read from the bundle, or follows one that was.
	valid bool
}

// name stands for the key of an entry, because keys can be long.
type name [nameLen]byte

const (
	nameLen  = 8
	entryLen = nameLen + 2*digest.ShortLen + 8 + 2*4 + 1
	// maxRecorded bounds a record to a part of the 256 KiB that the API server allows
	// for an object's annotations. Further entries are not recorded: their values are
	// opened again after a restart.
	maxRecorded = 2000
)

// NewRecord returns the empty record of a bundle.
func NewRecord(key digest.Key, namespace, bundle string) *Record {
	return &Record{key: key, namespace: namespace, bundle: bundle, entries: map[name]Made{}, names: map[string]name{}}
}

// Next returns an empty record of the same bundle.
func (r *Record) Next() *Record {
	next := NewRecord(r.key, r.namespace, r.bundle)
	next.names, next.valid, next.entries = r.names, r.valid, make(map[name]Made, len(r.entries))
	return next
}

// ParseRecord parses the record on a bundle. One that Latchkey did not make for this
// bundle counts as empty.
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
	r.valid, r.entries = true, make(map[name]Made, len(body)/entryLen)
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

// Whole reports whether the whole record can be stored on the bundle.
func (r *Record) Whole() bool { return len(r.entries) <= maxRecorded }

// Recorded returns the part of the record that is stored on the bundle.
func (r *Record) Recorded() *Record {
	if r.Whole() {
		return r
	}
	out := NewRecord(r.key, r.namespace, r.bundle)
	for _, n := range r.sorted()[:maxRecorded] {
		out.entries[n] = r.entries[n]
	}
	return out
}

func (r *Record) sorted() []name {
	names := make([]name, 0, len(r.entries))
	for n := range r.entries {
		names = append(names, n)
	}
	slices.SortFunc(names, func(a, b name) int { return bytes.Compare(a[:], b[:]) })
	return names
}

// String returns the record as it is stored.
func (r *Record) String() string {
	names := r.sorted()
	body := make([]byte, 0, len(names)*entryLen+digest.ShortLen)
	for _, n := range names[:min(len(names), maxRecorded)] {
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

// Get returns how an entry was made.
func (r *Record) Get(key string) (Made, bool) {
	m, ok := r.entries[r.name(key)]
	return m, ok
}

// Put records how an entry was made.
func (r *Record) Put(key string, m Made) { r.entries[r.name(key)] = m }

// Valid reports whether the record is Latchkey's and was read from a bundle, or follows
// one that was.
func (r *Record) Valid() bool { return r.valid }

func (r *Record) name(key string) name {
	if n, ok := r.names[key]; ok {
		return n
	}
	d := r.key.Short(digest.PurposeName, r.namespace, r.bundle, key)
	n := name(d[:nameLen])
	r.names[key] = n
	return n
}

// sum authenticates the parts of a record, as belonging together and to this bundle.
func (r *Record) sum(body []byte) digest.Short {
	p := r.key.Parts(digest.PurposeRecord, r.namespace)
	p.Text(r.bundle)
	p.Bytes(body)
	return p.Short()
}
