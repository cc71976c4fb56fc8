// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package notation

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/latchkey-dev/latchkey/internal/typedvalue"
)

// Print returns a type as people write it, or "?" if it is none. Parse reads it.
func Print(t *typedvalue.Type) string {
	text, err := t.MarshalJSON()
	if err != nil {
		return "?"
	}
	var f form
	if json.Unmarshal(text, &f) != nil {
		return "?"
	}
	p := printer{}
	p.typ(&f)
	return p.out.String()
}

// form is the JSON form of a type.
type form struct {
	text  []byte
	Type  string   `json:"type"`
	Name  *string  `json:"name"`
	Owner *string  `json:"owner"`
	Inner *form    `json:"inner"`
	Items []*form  `json:"items"`
	Names []string `json:"names"`
	Field []member `json:"fields"`
	Cases []member `json:"cases"`
	OK    *form    `json:"ok"`
	Err   *form    `json:"err"`
}

// UnmarshalJSON keeps the text, for types that have no notation.
func (f *form) UnmarshalJSON(text []byte) error {
	type plain form
	f.text = bytes.Clone(text)
	return json.Unmarshal(text, (*plain)(f))
}

// member is a field of a Record, or a case of a Variant or an Enum.
type member struct {
	Name string `json:"name"`
	Typ  *form  `json:"typ"`
}

// UnmarshalJSON reads the case of an Enum too, which is a string.
func (m *member) UnmarshalJSON(text []byte) error {
	type plain member
	if text[0] == '"' {
		return json.Unmarshal(text, &m.Name)
	}
	return json.Unmarshal(text, (*plain)(m))
}

type printer struct{ out strings.Builder }

func (p *printer) raw(parts ...string) {
	for _, part := range parts {
		p.out.WriteString(part)
	}
}

func (p *printer) typ(f *form) {
	if f.Type == "Handle" || f.Name != nil || f.Owner != nil {
		p.out.Write(f.text)
		return
	}
	switch f.Type {
	case "Option":
		p.types(wordOption, f.Inner)
	case "List":
		p.types(wordList, f.Inner)
	case "Tuple":
		p.types(wordTuple, f.Items...)
	case "Record":
		p.members(wordRecord, f.Field, ": ", "")
	case "Variant":
		p.members(wordVariant, f.Cases, "(", ")")
	case "Enum":
		p.members(wordEnum, f.Cases, "", "")
	case "Flags":
		names := make([]member, len(f.Names))
		for i, name := range f.Names {
			names[i].Name = name
		}
		p.members(wordFlags, names, "", "")
	case "Result":
		switch {
		case f.Err != nil:
			p.types(wordResult, f.OK, f.Err)
		case f.OK != nil:
			p.types(wordResult, f.OK)
		default:
			p.raw(wordResult)
		}
	default:
		p.raw(wordByTag[f.Type])
	}
}

// types prints a word and types in angle brackets; nil stands for no type.
func (p *printer) types(word string, types ...*form) {
	p.raw(word, "<")
	for i, t := range types {
		p.comma(i)
		if t == nil {
			p.raw("_")
		} else {
			p.typ(t)
		}
	}
	p.raw(">")
}

// members prints names, and their types between before and after.
func (p *printer) members(word string, members []member, before, after string) {
	p.raw(word, "{")
	for i, m := range members {
		p.comma(i)
		p.name(m.Name)
		if m.Typ != nil {
			p.raw(before)
			p.typ(m.Typ)
			p.raw(after)
		}
	}
	p.raw("}")
}

func (p *printer) comma(i int) {
	if i > 0 {
		p.raw(", ")
	}
}

func (p *printer) name(name string) {
	if name != "" && wordOf(name) == name {
		p.raw(name)
		return
	}
	p.out.Write(typedvalue.AppendQuoted(nil, name))
}
