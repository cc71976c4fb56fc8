// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package typedvalue

import (
	"encoding/json"
	"errors"
	"math"
	"strconv"
)

// kind is one of the 22 tags of the contract.
type kind uint8

// The zero kind is not one of the contract's, so a Type that no parser made accepts
// no value.
const (
	kindNone kind = iota
	kindBool
	kindS8
	kindS16
	kindS32
	kindS64
	kindU8
	kindU16
	kindU32
	kindU64
	kindF32
	kindF64
	kindChr
	kindStr
	kindOption
	kindList
	kindTuple
	kindRecord
	kindVariant
	kindEnum
	kindFlags
	kindResult
	kindHandle
	kindCount
)

var kindNames = [kindCount]string{
	"", "Bool", "S8", "S16", "S32", "S64", "U8", "U16", "U32", "U64", "F32", "F64", "Chr", "Str",
	"Option", "List", "Tuple", "Record", "Variant", "Enum", "Flags", "Result", "Handle",
}

var kindByName = func() map[string]kind {
	kinds := make(map[string]kind, kindCount)
	for k := kindBool; k < kindCount; k++ {
		kinds[kindNames[k]] = k
	}
	return kinds
}()

// scalar reports whether the kind has no members besides its tag.
func (k kind) scalar() bool { return k <= kindStr }

// Type is a parsed type. It is immutable, so it may be shared between
// goroutines. Only ParseType and ParseStoredType make one; the zero Type accepts
// no value.
type Type struct {
	kind        kind
	name, owner *string

	inner   *Type    // Option, List
	items   []*Type  // Tuple
	members []member // Record: fields; Variant: cases
	labels  []string // Enum: cases; Flags: names
	ok, err *Type    // Result; nil where there is no payload

	resourceID uint64 // Handle
	mode       string // Handle

	// position is the last index of each name in members (Variant) or labels
	// (Enum, Flags), and labelAt the position of each label. Names may repeat,
	// and a search through thousands of them for each of thousands of items
	// would take too long.
	position map[string]int
	labelAt  []int
}

// member is a field of a Record or a case of a Variant.
type member struct {
	name string
	typ  *Type // nil: a unit case
	// shadowed says that a later field has the same name. A JSON object holds
	// one value per name; the last field's is the one that is printed.
	shadowed bool
}

// Kind returns the tag of the type, such as "Str" or "Record".
func (t *Type) Kind() string { return kindNames[t.kind] }

// MarshalJSON prints the type as in the contract's answers: every optional member of
// a non-scalar is written, as null if it is absent.
func (t *Type) MarshalJSON() ([]byte, error) {
	return t.print(false)
}

// MarshalStored prints the type for a field of a Kubernetes object, as
// ParseStoredType reads it. Integers there are int64, so a larger resource_id
// becomes a decimal string; absent members are left out, since null means
// "delete" in a merge patch.
func (t *Type) MarshalStored() ([]byte, error) {
	return t.print(true)
}

// Stored returns what MarshalStored prints, or "" for a type that no parser made.
func (t *Type) Stored() string {
	if t != nil && t.kind.scalar() {
		return scalarTexts[t.kind]
	}
	text, err := t.print(true)
	if err != nil {
		return ""
	}
	return string(text)
}

// scalarTexts are the texts of the types without members, which most types are.
var scalarTexts = func() (texts [kindStr + 1]string) {
	for k := kindBool; k.scalar(); k++ {
		texts[k] = `{"type":"` + kindNames[k] + `"}`
	}
	return texts
}()

var _ json.Marshaler = (*Type)(nil)

var errNoType = errors.New("type was not made by ParseType or ParseStoredType")

func (t *Type) print(stored bool) ([]byte, error) {
	if t == nil || t.kind == kindNone {
		return nil, errNoType
	}
	p := typePrinter{stored: stored}
	p.typ(t)
	return p.out, nil
}

// typePrinter prints types compactly, in the contract's order of members.
type typePrinter struct {
	out    []byte
	stored bool
}

func (p *typePrinter) typ(t *Type) {
	p.raw(`{"type":"`, t.Kind(), `"`)
	if !t.kind.scalar() {
		p.optionalText("name", t.name)
		p.optionalText("owner", t.owner)
	}
	switch t.kind {
	case kindOption, kindList:
		p.optionalType("inner", t.inner)
	case kindTuple:
		p.raw(`,"items":[`)
		for i, item := range t.items {
			p.comma(i)
			p.typ(item)
		}
		p.raw("]")
	case kindRecord:
		p.memberList("fields", t.members)
	case kindVariant:
		p.memberList("cases", t.members)
	case kindEnum:
		p.texts("cases", t.labels)
	case kindFlags:
		p.texts("names", t.labels)
	case kindResult:
		p.optionalType("ok", t.ok)
		p.optionalType("err", t.err)
	case kindHandle:
		id := strconv.FormatUint(t.resourceID, 10)
		if p.stored && t.resourceID > math.MaxInt64 {
			id = `"` + id + `"`
		}
		p.raw(`,"resource_id":`, id, `,"mode":"`, t.mode, `"`)
	}
	p.raw("}")
}

func (p *typePrinter) raw(parts ...string) {
	for _, part := range parts {
		p.out = append(p.out, part...)
	}
}

func (p *typePrinter) comma(i int) {
	if i > 0 {
		p.raw(",")
	}
}

func (p *typePrinter) optionalText(name string, text *string) {
	switch {
	case text != nil:
		p.raw(`,"`, name, `":`)
		p.out = AppendQuoted(p.out, *text)
	case !p.stored:
		p.raw(`,"`, name, `":null`)
	}
}

func (p *typePrinter) optionalType(name string, t *Type) {
	switch {
	case t != nil:
		p.raw(`,"`, name, `":`)
		p.typ(t)
	case !p.stored:
		p.raw(`,"`, name, `":null`)
	}
}

func (p *typePrinter) texts(name string, texts []string) {
	p.raw(`,"`, name, `":[`)
	for i, text := range texts {
		p.comma(i)
		p.out = AppendQuoted(p.out, text)
	}
	p.raw("]")
}

func (p *typePrinter) memberList(name string, members []member) {
	p.raw(`,"`, name, `":[`)
	for i, m := range members {
		p.comma(i)
		p.raw(`{"name":`)
		p.out = AppendQuoted(p.out, m.name)
		p.optionalType("typ", m.typ)
		p.raw("}")
	}
	p.raw("]")
}
