// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package typedvalue

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

const (
	// MaxTypeBytes is the largest JSON text of a type that is read.
	MaxTypeBytes = 64 << 10
	// MaxNesting is how many types may enclose another one.
	MaxNesting = 128

	// maxTypeDepth bounds the depth of a type's JSON, with ignored members. A Record
	// takes three levels: itself, its fields, one field.
	maxTypeDepth = 3*MaxNesting + 16
)

// ParseType reads a type as the REST contract writes it. Unknown members are
// dropped; of a repeated one the last counts. The error names the place, such
// as secretType.fields[2].typ, and what is expected there.
func ParseType(text []byte) (*Type, error) { return parseType(text, false) }

// ParseStoredType reads what MarshalStored printed: a type in a Kubernetes
// object, where a resource_id above the largest int64 is a decimal string.
func ParseStoredType(text []byte) (*Type, error) { return parseType(text, true) }

// scalars are the types without members, by their texts.
var scalars = func() map[string]*Type {
	types := map[string]*Type{}
	for k := kindBool; k.scalar(); k++ {
		types[scalarTexts[k]] = &Type{kind: k}
	}
	return types
}()

func parseType(text []byte, stored bool) (*Type, error) {
	if t, ok := scalars[string(text)]; ok {
		return t, nil
	}
	const root = "secretType"
	limit := MaxTypeBytes
	if stored {
		limit += MaxTypeBytes / 8 // quotes around resource ids
		limit += len(text) - plainLen(text)
	}
	v, err := decode(root, text, limit, maxTypeDepth)
	if err != nil {
		return nil, err
	}
	return typeParser{stored: stored}.typ(v, root, 0)
}

// plainLen returns the length of a JSON text without the escapes that the Kubernetes API
// adds for characters with a meaning in HTML or JavaScript. They can make a text six times
// as long, and a type that was stored must stay readable.
func plainLen(text []byte) int {
	n := len(text)
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		switch escape := text[i:min(i+6, len(text))]; string(escape) {
		case `\u003c`, `\u003e`, `\u0026`:
			n -= len(escape) - 1
		case `\u2028`, `\u2029`:
			n -= len(escape) - len("\u2028")
		}
		i++ // the next is escaped, be it a backslash
	}
	return n
}

type typeParser struct{ stored bool }

func expected(at, what string) error {
	return fmt.Errorf("%s: expected %s", at, what)
}

func (p typeParser) typ(v any, at string, depth int) (*Type, error) {
	if depth > MaxNesting {
		return nil, expected(at, fmt.Sprintf("at most %d levels of nesting", MaxNesting))
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, expected(at, "a type: an object with the member type")
	}
	tag, _ := object["type"].(string)
	t := &Type{kind: kindByName[tag]}
	if t.kind == kindNone {
		return nil, expected(at+".type", "one of "+strings.Join(kindNames[kindBool:], ", "))
	}
	if t.kind.scalar() {
		return t, nil
	}

	var err error
	if t.name, err = optionalText(object, "name", at); err != nil {
		return nil, err
	}
	if t.owner, err = optionalText(object, "owner", at); err != nil {
		return nil, err
	}
	switch t.kind {
	case kindOption, kindList:
		t.inner, err = p.typ(object["inner"], at+".inner", depth+1)
	case kindTuple:
		t.items, err = p.types(object, at, depth)
	case kindRecord:
		t.members, err = p.fields(object, at, depth)
	case kindVariant:
		t.members, err = p.cases(object, at, depth)
		t.position = make(map[string]int, len(t.members))
		for i, m := range t.members {
			t.position[m.name] = i
		}
	case kindEnum:
		err = t.setLabels(object, "cases", at)
	case kindFlags:
		err = t.setLabels(object, "names", at)
	case kindResult:
		if t.ok, err = p.optionalType(object, "ok", at, depth); err == nil {
			t.err, err = p.optionalType(object, "err", at, depth)
		}
	case kindHandle:
		if t.resourceID, err = p.resourceID(object["resource_id"], at+".resource_id"); err == nil {
			t.mode, err = handleMode(object["mode"], at+".mode")
		}
	}
	if err != nil {
		return nil, err
	}
	return t, nil
}

func (p typeParser) optionalType(object map[string]any, name, at string, depth int) (*Type, error) {
	if object[name] == nil {
		return nil, nil
	}
	return p.typ(object[name], at+"."+name, depth+1)
}

func (p typeParser) types(object map[string]any, at string, depth int) ([]*Type, error) {
	list, at, err := array(object, "items", at, "types")
	if err != nil {
		return nil, err
	}
	types := make([]*Type, len(list))
	for i, v := range list {
		if types[i], err = p.typ(v, index(at, i), depth+1); err != nil {
			return nil, err
		}
	}
	return types, nil
}

func (p typeParser) fields(object map[string]any, at string, depth int) ([]member, error) {
	list, at, err := array(object, "fields", at, "fields")
	if err != nil {
		return nil, err
	}
	fields := make([]member, len(list))
	last := make(map[string]int, len(list))
	for i, v := range list {
		field, name, err := named(v, index(at, i))
		if err != nil {
			return nil, err
		}
		typ, err := p.typ(field["typ"], index(at, i)+".typ", depth+1)
		if err != nil {
			return nil, err
		}
		fields[i] = member{name: name, typ: typ}
		if earlier, repeated := last[name]; repeated {
			fields[earlier].shadowed = true
		}
		last[name] = i
	}
	return fields, nil
}

func (p typeParser) cases(object map[string]any, at string, depth int) ([]member, error) {
	list, at, err := array(object, "cases", at, "cases")
	if err != nil {
		return nil, err
	}
	cases := make([]member, len(list))
	for i, v := range list {
		object, name, err := named(v, index(at, i))
		if err != nil {
			return nil, err
		}
		typ, err := p.optionalType(object, "typ", index(at, i), depth)
		if err != nil {
			return nil, err
		}
		cases[i] = member{name: name, typ: typ}
	}
	return cases, nil
}

// resourceID reads a u64. JSON numbers of a Kubernetes object are int64, and larger ones
// are rounded, so the upper half is text there. Each number has one spelling.
func (p typeParser) resourceID(v any, at string) (uint64, error) {
	switch v := v.(type) {
	case json.Number:
		id, err := strconv.ParseUint(v.String(), 10, 64)
		if err == nil && (!p.stored || id <= math.MaxInt64) {
			return id, nil
		}
	case string:
		id, err := strconv.ParseUint(v, 10, 64)
		if p.stored && err == nil && id > math.MaxInt64 && v[0] != '0' {
			return id, nil
		}
	}
	if p.stored {
		return 0, expected(at, fmt.Sprintf("an integer, written as a string of digits above %d", int64(math.MaxInt64)))
	}
	return 0, expected(at, "an integer from 0 to 18446744073709551615")
}

func handleMode(v any, at string) (string, error) {
	if mode, ok := v.(string); ok && (mode == "Owned" || mode == "Borrowed") {
		return mode, nil
	}
	return "", expected(at, "Owned or Borrowed")
}

func (t *Type) setLabels(object map[string]any, name, at string) error {
	list, at, err := array(object, name, at, "strings")
	if err != nil {
		return err
	}
	t.labels = make([]string, len(list))
	t.position = make(map[string]int, len(list))
	for i, v := range list {
		label, ok := v.(string)
		if !ok {
			return expected(index(at, i), "a string")
		}
		t.labels[i] = label
		t.position[label] = i
	}
	t.labelAt = make([]int, len(list))
	for i, label := range t.labels {
		t.labelAt[i] = t.position[label]
	}
	return nil
}

func optionalText(object map[string]any, name, at string) (*string, error) {
	switch v := object[name].(type) {
	case nil:
		return nil, nil
	case string:
		return &v, nil
	default:
		return nil, expected(at+"."+name, "a string or null")
	}
}

// array returns the member of that name and its place.
func array(object map[string]any, name, at, of string) ([]any, string, error) {
	at += "." + name
	list, ok := object[name].([]any)
	if !ok {
		return nil, "", expected(at, "an array of "+of)
	}
	return list, at, nil
}

// named returns a field or a case as an object, and its name.
func named(v any, at string) (map[string]any, string, error) {
	object, ok := v.(map[string]any)
	if !ok {
		return nil, "", expected(at, "an object with the members name and typ")
	}
	name, ok := object["name"].(string)
	if !ok {
		return nil, "", expected(at+".name", "a string")
	}
	return object, name, nil
}

func index(at string, i int) string { return at + "[" + strconv.Itoa(i) + "]" }
