// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// ErrContext says that a Context cannot be bound to: a part is empty or too
// long.
var ErrContext = errors.New("sealing context is not usable")

const (
	// contextLabel keeps what is sealed here apart from any other use of the
	// same key, and carries the version of the encoding below.
	contextLabel = "latchkey.dev/seal/v1"

	// typedKind is the kind whose values have a path and a type.
	typedKind = "AgentSecret"

	// maxContextPart is the longest part of a Context in bytes, but for the type:
	// the limit of Kubernetes for an object's name, the longest of them.
	maxContextPart = 253
	// maxTypePart is the longest type in bytes.
	maxTypePart = 128 << 10
)

// Context is the object that a value is sealed for. A text opens only with the
// Context it was sealed with, so a ciphertext copied to another object, to
// another namespace or to an object of another kind is useless there: without
// this, anyone who may read a neighbour's object could store its ciphertext in an
// object of their own and have Latchkey decrypt it for them.
//
// The type is bound for the same reason. A type is a question about the value, such
// as whether it is one of a thousand words. An attacker who could ask such questions
// about another ciphertext would know the value after a few of them.
type Context struct {
	// Kind is the kind of the object, for example UserSecret.
	Kind string
	// Namespace is the namespace of the object.
	Namespace string
	// NamespaceUID is the UID of that namespace, where values are bound to it, so that
	// a namespace of the same name made later opens nothing; else "".
	NamespaceUID string
	// Name is metadata.name of the object.
	Name string
	// Path is the canonical path of an AgentSecret, Type its type in the form of
	// typedvalue.Type.Canonical; a UserSecret has neither.
	Path []string
	Type string
}

// Info returns the bytes that stand for c in HPKE's info parameter, which the
// key schedule hashes into the encryption key (RFC 9180, section 5.1): the
// label, the kind, the namespace and the name, for an AgentSecret also its type and
// each segment of its path, each preceded by its length in bytes as a big-endian
// uint32. Where values are bound to the UID of the namespace, it follows the
// namespace's name behind a slash, which no name has.
//
// The lengths make the encoding injective. Joined plainly or by a separator,
// two different objects could share one encoding, such as namespace "a" with
// name "b-c" and namespace "a-b" with name "c", and a ciphertext could move
// between them.
func (c Context) Info() ([]byte, error) {
	parts := []part{{"label", contextLabel}, {"kind", c.Kind}, {"namespace", c.Namespace}, {"name", c.Name}}
	if strings.Contains(c.Namespace, "/") {
		return nil, fmt.Errorf("%w: a namespace has no slash in its name", ErrContext)
	}
	if c.NamespaceUID != "" && c.Namespace != "" {
		parts[2].value += "/" + c.NamespaceUID
	}
	switch {
	case c.Kind == typedKind:
		parts = append(parts, part{"type", c.Type})
		for _, segment := range c.Path {
			parts = append(parts, part{"path", segment})
		}
		if len(c.Path) == 0 {
			return nil, fmt.Errorf("%w: set the path of the object", ErrContext)
		}
	case c.Type != "" || len(c.Path) > 0:
		return nil, fmt.Errorf("%w: only an %s has a path and a type", ErrContext, typedKind)
	}
	return encode(parts)
}

// part is one of the things that a value is bound to.
type part struct{ what, value string }

func encode(parts []part) ([]byte, error) {
	var info []byte
	for _, p := range parts {
		n := len(p.value)
		switch {
		case n == 0:
			return nil, fmt.Errorf("%w: set the %s of the object", ErrContext, p.what)
		case n > maxContextPart && p.what != "type":
			return nil, fmt.Errorf("%w: shorten the %s to at most %d bytes", ErrContext, p.what, maxContextPart)
		case n > maxTypePart:
			return nil, fmt.Errorf("%w: shorten the %s to at most %d bytes", ErrContext, p.what, maxTypePart)
		}
		info = binary.BigEndian.AppendUint32(info, uint32(n)) // n is bounded above
		info = append(info, p.value...)
	}
	return info, nil
}
