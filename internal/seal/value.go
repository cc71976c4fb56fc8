// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"bytes"
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

// redacted is what a secret shows of itself.
const redacted = "[redacted]"

// Value is a secret in the clear. It prints as [redacted] wherever it might be
// printed: by fmt with every verb, by encoding/json and everything else that
// asks for text, by log/slog, and by logr with its sinks (klog, zap).
//
// The bytes are held by a closure, not by a field. Printers that walk a struct
// by reflection do not call the methods of unexported fields, and some call no
// methods at all and follow every pointer; none of them can look into a
// function. A function also makes the type incomparable, so == does not compile
// and [Value.Equal] is the only way to compare. The zero Value is empty.
//
// Values are immutable: NewValue copies what it is given and Reveal returns a
// copy.
type Value struct {
	reveal func() []byte
}

// NewValue returns a Value that holds a copy of b.
func NewValue(b []byte) Value {
	if len(b) == 0 {
		return Value{}
	}
	held := bytes.Clone(b)
	return Value{reveal: func() []byte { return held }}
}

// ValueOf returns a Value that holds the bytes of s.
func ValueOf(s string) Value { return NewValue([]byte(s)) }

// Reveal returns a copy of the secret. Every call is a place to review.
func (v Value) Reveal() []byte { return append([]byte{}, v.bytes()...) }

// Len returns the length of the secret in bytes.
func (v Value) Len() int { return len(v.bytes()) }

// Equal reports whether both hold the same secret. Its time depends only on their
// lengths.
func (v Value) Equal(other Value) bool {
	return subtle.ConstantTimeCompare(v.bytes(), other.bytes()) == 1
}

// String implements fmt.Stringer.
func (Value) String() string { return redacted }

// GoString implements fmt.GoStringer.
func (Value) GoString() string { return redacted }

// Format implements fmt.Formatter for every verb, %x and %q among them.
func (Value) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalJSON implements json.Marshaler.
func (Value) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText implements encoding.TextMarshaler, which YAML and XML use too.
func (Value) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue implements slog.LogValuer.
func (Value) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalLog implements logr.Marshaler.
func (Value) MarshalLog() any { return redacted }

// bytes returns the secret itself, not a copy; it must not be changed.
func (v Value) bytes() []byte {
	if v.reveal == nil {
		return nil
	}
	return v.reveal()
}
