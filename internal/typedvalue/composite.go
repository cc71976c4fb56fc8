// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package typedvalue

import (
	"encoding/json"
	"strconv"
)

func (c *checker) list(t *Type, v any) {
	items, ok := v.([]any)
	if !ok {
		c.mismatch("list", v)
		return
	}
	c.print("[")
	for i, item := range items {
		if !c.item(i, t.inner, item) {
			return
		}
	}
	c.print("]")
}

func (c *checker) tuple(t *Type, v any) {
	items, ok := v.([]any)
	if !ok {
		c.mismatch("tuple, represented by a list", v)
		return
	}
	if len(items) != len(t.items) {
		c.problem("expected tuple of " + strconv.Itoa(len(t.items)) + " items, found another number of them")
		return
	}
	c.print("[")
	for i, item := range items {
		if !c.item(i, t.items[i], item) {
			return
		}
	}
	c.print("]")
}

// item checks one item of a list or a tuple and reports whether to go on.
func (c *checker) item(i int, t *Type, v any) bool {
	c.comma(i)
	before := len(c.problems)
	c.value(t, v)
	if len(c.problems) > before {
		c.locate(before, "at ["+strconv.Itoa(i)+"]: ")
	}
	return c.spend(0)
}

// locate puts the place before the problems from index from on. A place is an index or
// the name of a field: it comes from the type, not from the value.
func (c *checker) locate(from int, place string) {
	for i := from; i < len(c.problems); i++ {
		c.problems[i] = place + c.problems[i]
	}
}

func (c *checker) record(t *Type, v any) {
	object, ok := v.(map[string]any)
	if !ok {
		c.mismatch("record", v)
		return
	}
	c.print("{")
	printed := 0
	for i := range t.members {
		field := &t.members[i]
		if field.shadowed && c.stored {
			continue
		}
		mark := len(c.out)
		c.comma(printed)
		c.field(field, object)
		if field.shadowed {
			c.out = c.out[:mark]
		} else {
			printed++
		}
		if !c.spend(1) {
			return
		}
	}
	c.print("}")
}

func (c *checker) field(field *member, object map[string]any) {
	c.out = AppendQuoted(c.out, field.name)
	c.print(":")
	v, present := object[field.name]
	switch {
	case present:
		before := len(c.problems)
		c.value(field.typ, v)
		if len(c.problems) > before {
			c.locate(before, "invalid value for key "+shorten(field.name)+": ")
		}
	case field.typ.kind == kindOption:
		c.print("null")
	default:
		c.problem("key '" + shorten(field.name) + "' not found")
	}
}

// shorten bounds the length of a name in a problem; names can be as long as a type.
func shorten(name string) string {
	const most = 128
	if len(name) <= most {
		return name
	}
	end := 0
	for i := range name {
		if i > most {
			break
		}
		end = i
	}
	return name[:end] + "…"
}

// variant names no case in its problems, because the case is part of the value.
func (c *checker) variant(t *Type, v any) {
	object, ok := v.(map[string]any)
	switch {
	case !ok:
		c.mismatch("variant, represented by an object with one key", v)
		return
	case len(object) == 0:
		c.problem("Zero variants in in the input")
		return
	case len(object) > 1:
		c.problem("expected variant, represented by an object with one key, found several keys")
		return
	}
	for name, payload := range object {
		position, known := t.position[name]
		if !known {
			c.problem("expected one of the cases of the variant")
			return
		}
		c.print("{")
		c.out = AppendQuoted(c.out, name)
		c.print(":")
		switch typ := t.members[position].typ; {
		case typ != nil:
			c.value(typ, payload)
		case payload == nil:
			c.print("null")
		default:
			c.problem("expected null for a unit case of the variant, found " + describe(payload))
		}
		c.print("}")
	}
}

func (c *checker) result(t *Type, v any) {
	object, _ := v.(map[string]any)
	name, typ := "ok", t.ok
	payload, present := object["ok"]
	if !present {
		name, typ = "err", t.err
		payload, present = object["err"]
	}
	if !present {
		c.problem("Failed to retrieve either ok value or err value")
		return
	}
	c.print(`{"` + name + `":`)
	switch {
	case typ != nil:
		c.value(typ, payload)
	case payload == nil:
		c.print("null")
	default:
		// The reference says ok for err, too.
		c.problem("The type of ok is absent, but some JSON value was provided")
	}
	c.print("}")
}

func (c *checker) flags(t *Type, v any) {
	items, ok := v.([]any)
	if !ok {
		c.mismatch("flags, represented by a list", v)
		return
	}
	if !c.spend(len(t.labels) + len(items)) {
		return
	}
	set := make([]bool, len(t.labels))
	for i, item := range items {
		if problem := t.setFlag(set, item); problem != "" {
			c.problem("at [" + strconv.Itoa(i) + "]: " + problem)
		}
		if !c.spend(0) {
			return
		}
	}
	c.print("[")
	printed := 0
	for i, label := range t.labels {
		if set[t.labelAt[i]] {
			c.comma(printed)
			c.out = AppendQuoted(c.out, label)
			printed++
		}
	}
	c.print("]")
}

// setFlag marks the flag that item names, by text, boolean or number.
func (t *Type) setFlag(set []bool, item any) (problem string) {
	var label string
	switch item := item.(type) {
	case string:
		label = item
	case bool:
		label = strconv.FormatBool(item)
	case json.Number:
		label = readNumber(item).text()
	default:
		return "expected flag, found " + describe(item)
	}
	position, known := t.position[label]
	if !known {
		return "expected one of the names of the flags"
	}
	set[position] = true
	return ""
}
