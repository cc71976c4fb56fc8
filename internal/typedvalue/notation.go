// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package typedvalue

import "strings"

// The notation is how people write types, in the manner of WIT:
//
//	string                                  bool, s8 … s64, u8 … u64, f32, f64, char
//	option<T>  list<T>  tuple<A, B>
//	record{host: string, port: u16}
//	variant{none, some(string)}
//	enum{a, b}  flags{a, b}
//	result<T, E>  result<T>  result<_, E>  result
//
// White space between the words does not count. A name that is no word of letters,
// digits, _ and - is a JSON string. Wherever a type may stand, its JSON form may: a
// Handle, and a type with a name or an owner, have no other.

const (
	notationOption  = "option"
	notationList    = "list"
	notationTuple   = "tuple"
	notationRecord  = "record"
	notationVariant = "variant"
	notationEnum    = "enum"
	notationFlags   = "flags"
	notationResult  = "result"
)

// scalarNotation are the words of scalars, by their tag.
var scalarNotation = func() map[string]string {
	words := map[string]string{kindNames[kindChr]: "char", kindNames[kindStr]: "string"}
	for k := kindBool; k.scalar(); k++ {
		if tag := kindNames[k]; words[tag] == "" {
			words[tag] = strings.ToLower(tag)
		}
	}
	return words
}()

// tagByNotation are the tags of scalars, by their word.
var tagByNotation = func() map[string]string {
	tags := make(map[string]string, len(scalarNotation))
	for tag, word := range scalarNotation {
		tags[word] = tag
	}
	return tags
}()

// Notation returns the type as people write it. ParseNotation reads it.
func (t *Type) Notation() (string, error) {
	if t == nil || t.kind == kindNone {
		return "", errNoType
	}
	p := notationPrinter{}
	err := p.typ(t)
	return p.out.String(), err
}

type notationPrinter struct{ out strings.Builder }

func (p *notationPrinter) raw(parts ...string) {
	for _, part := range parts {
		p.out.WriteString(part)
	}
}

func (p *notationPrinter) typ(t *Type) error {
	if t.kind == kindHandle || t.name != nil || t.owner != nil {
		text, err := t.MarshalJSON()
		p.out.Write(text)
		return err
	}
	switch t.kind {
	case kindOption:
		return p.types(notationOption, t.inner)
	case kindList:
		return p.types(notationList, t.inner)
	case kindTuple:
		return p.types(notationTuple, t.items...)
	case kindRecord:
		return p.members(notationRecord, t.members, ": ", "")
	case kindVariant:
		return p.members(notationVariant, t.members, "(", ")")
	case kindEnum:
		p.labels(notationEnum, t.labels)
	case kindFlags:
		p.labels(notationFlags, t.labels)
	case kindResult:
		switch {
		case t.err != nil:
			return p.types(notationResult, t.ok, t.err)
		case t.ok != nil:
			return p.types(notationResult, t.ok)
		}
		p.raw(notationResult)
	default:
		p.raw(scalarNotation[t.Kind()])
	}
	return nil
}

// types prints a word and types in angle brackets; nil stands for no type.
func (p *notationPrinter) types(word string, types ...*Type) error {
	p.raw(word, "<")
	for i, t := range types {
		p.comma(i)
		if t == nil {
			p.raw("_")
		} else if err := p.typ(t); err != nil {
			return err
		}
	}
	p.raw(">")
	return nil
}

// members prints names, and their types between before and after.
func (p *notationPrinter) members(word string, members []member, before, after string) error {
	p.raw(word, "{")
	for i, m := range members {
		p.comma(i)
		p.name(m.name)
		if m.typ == nil {
			continue
		}
		p.raw(before)
		if err := p.typ(m.typ); err != nil {
			return err
		}
		p.raw(after)
	}
	p.raw("}")
	return nil
}

func (p *notationPrinter) labels(word string, labels []string) {
	p.raw(word, "{")
	for i, label := range labels {
		p.comma(i)
		p.name(label)
	}
	p.raw("}")
}

func (p *notationPrinter) comma(i int) {
	if i > 0 {
		p.raw(", ")
	}
}

func (p *notationPrinter) name(name string) {
	if word := wordOf(name); word != "" && word == name {
		p.raw(name)
		return
	}
	p.out.Write(AppendQuoted(nil, name))
}

// wordOf returns the word that a text begins with.
func wordOf(text string) string {
	for i, c := range []byte(text) {
		letter := c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || c != '-' && (c < '0' || c > '9')) {
			return text[:i]
		}
	}
	return text
}
