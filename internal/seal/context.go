// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrContext says that a Context cannot be bound to: a part is empty or too
// long.
var ErrContext = errors.New("sealing context is not usable")

const (
	// contextLabel keeps what is sealed here apart from any other use of the
	// same key, and carries the version of the encoding below.
	contextLabel = "latchkey.dev/seal/v1"

	// maxContextPart is the longest part of a Context in bytes: the limit of
	// Kubernetes for an object's name, the longest of the three.
	maxContextPart = 253
)

// Context is the object that a value is sealed for. A text opens only with the
// Context it was sealed with, so a ciphertext copied to another object, to
// another namespace or to an object of another kind is useless there: without
// this, whoever may read a neighbour's object could store its ciphertext in an
// object of their own and have Latchkey decrypt it for them.
type Context struct {
	// Kind is the kind of the object, for example UserSecret.
	Kind string
	// Namespace is the namespace of the object.
	Namespace string
	// Name is metadata.name of the object.
	Name string
}

// Info returns the bytes that stand for c in HPKE's info parameter, which the
// key schedule hashes into the encryption key (RFC 9180, section 5.1): the
// label, the kind, the namespace and the name, each preceded by its length in
// bytes as a big-endian uint32.
//
// The lengths make the encoding injective. Joined plainly or by a separator,
// two different objects could share one encoding, such as namespace "a" with
// name "b-c" and namespace "a-b" with name "c", and a ciphertext could move
// between them.
func (c Context) Info() ([]byte, error) {
	info := make([]byte, 0, 4*4+len(contextLabel)+len(c.Kind)+len(c.Namespace)+len(c.Name))
	for _, part := range []struct{ what, value string }{
		{"label", contextLabel},
		{"kind", c.Kind},
		{"namespace", c.Namespace},
		{"name", c.Name},
	} {
		if part.value == "" {
			return nil, fmt.Errorf("%w: set the %s of the object", ErrContext, part.what)
		}
		n := len(part.value)
		if n > maxContextPart {
			return nil, fmt.Errorf("%w: shorten the %s to at most %d bytes", ErrContext, part.what, maxContextPart)
		}
		info = binary.BigEndian.AppendUint32(info, uint32(n))
		info = append(info, part.value...)
	}
	return info, nil
}
