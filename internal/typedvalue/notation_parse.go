// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package typedvalue

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// NotationError says where a type that somebody wrote is wrong.
type NotationError struct {
	// Line and Column are the place. Both begin at 1, and columns count characters.
	Line, Column int
	// Problem says what is wrong there.
	Problem string
}

// Error names the place and the problem.
func (e *NotationError) Error() string {
	if e.Line > 1 {
		return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Problem)
	}
	return fmt.Sprintf("column %d: %s", e.Column, e.Problem)
}

// ParseNotation reads a type as people write it, or its JSON form. Its errors about the
// text are a *NotationError.
func ParseNotation(text string) (*Type, error) {
	switch {
	case len(text) > MaxTypeBytes:
		return nil, fmt.Errorf("type: longer than %d bytes", MaxTypeBytes)
	case !utf8.ValidString(text):
		return nil, fmt.Errorf("type: not valid UTF-8")
	}
	p := &notationParser{text: text}
	tree, err := p.typ(0)
	if err == nil && p.peek() != 0 {
		err = p.expected("nothing more after the type")
	}
	if err != nil {
		return nil, err
	}
	return typeParser{}.typ(tree, "type", 0)
}

// notationParser turns the notation into the tree of the JSON form, so that only one
// place defines what a type is.
type notationParser struct {
	text string
	at   int
}

func (p *notationParser) problem(at int, format string, args ...any) error {
	before := p.text[:at]
	line := strings.Count(before, "\n") + 1
	column := utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
	return &NotationError{Line: line, Column: column, Problem: fmt.Sprintf(format, args...)}
}

func (p *notationParser) expected(what string) error {
	p.peek()
	return p.problem(p.at, "expected %s", what)
}

// peek returns the next character that is not white space, or 0 at the end.
func (p *notationParser) peek() byte {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
	if p.at == len(p.text) {
		return 0
	}
	return p.text[p.at]
}

// take skips c if it is next, and reports whether it was.
func (p *notationParser) take(c byte) bool {
	if p.peek() != c {
		return false
	}
	p.at++
	return true
}

func (p *notationParser) word() string {
	p.peek()
	word := wordOf(p.text[p.at:])
	p.at += len(word)
	return word
}

func (p *notationParser) typ(depth int) (map[string]any, error) {
	if depth > MaxNesting {
		return nil, p.expected(fmt.Sprintf("at most %d levels of nesting", MaxNesting))
	}
	if p.peek() == '{' {
		return p.json(depth)
	}
	start := p.at
	word := p.word()
	if tag, ok := tagByNotation[word]; ok {
		return map[string]any{"type": tag}, nil
	}
	switch word {
	case notationOption:
		inner, err := p.angles(depth, 1, 1)
		return p.with("Option", "inner", first(inner), err)
	case notationList:
		inner, err := p.angles(depth, 1, 1)
		return p.with("List", "inner", first(inner), err)
	case notationTuple:
		items, err := p.angles(depth, 0, len(p.text))
		return p.with("Tuple", "items", items, err)
	case notationRecord:
		fields, err := p.braces(func() (any, error) { return p.field(depth) })
		return p.with("Record", "fields", fields, err)
	case notationVariant:
		cases, err := p.braces(func() (any, error) { return p.variantCase(depth) })
		return p.with("Variant", "cases", cases, err)
	case notationEnum:
		cases, err := p.braces(func() (any, error) { return p.name() })
		return p.with("Enum", "cases", cases, err)
	case notationFlags:
		names, err := p.braces(func() (any, error) { return p.name() })
		return p.with("Flags", "names", names, err)
	case notationResult:
		return p.result(depth)
	}
	p.at = start
	return nil, p.expected("a type: bool, s8 to s64, u8 to u64, f32, f64, char, string, option<…>, list<…>, tuple<…>, " +
		"record{…}, variant{…}, enum{…}, flags{…}, result<…>, or its JSON form")
}

func (p *notationParser) with(tag, member string, value any, err error) (map[string]any, error) {
	if err != nil {
		return nil, err
	}
	return map[string]any{"type": tag, member: value}, nil
}

func first(list []any) any {
	if len(list) == 0 {
		return nil
	}
	return list[0]
}

// angles reads types in angle brackets.
func (p *notationParser) angles(depth, least, most int) ([]any, error) {
	if !p.take('<') {
		return nil, p.expected("<")
	}
	types := []any{}
	for !p.take('>') {
		if len(types) > 0 && !p.take(',') {
			return nil, p.expected(", or >")
		}
		if len(types) > 0 && p.take('>') {
			break
		}
		if len(types) == most {
			return nil, p.expected(">")
		}
		t, err := p.typ(depth + 1)
		if err != nil {
			return nil, err
		}
		types = append(types, t)
	}
	if len(types) < least {
		p.at--
		return nil, p.expected("a type")
	}
	return types, nil
}

// braces reads items in braces.
func (p *notationParser) braces(item func() (any, error)) ([]any, error) {
	if !p.take('{') {
		return nil, p.expected("{")
	}
	items := []any{}
	for !p.take('}') {
		if len(items) > 0 && !p.take(',') {
			return nil, p.expected(", or }")
		}
		if len(items) > 0 && p.take('}') {
			break
		}
		i, err := item()
		if err != nil {
			return nil, err
		}
		items = append(items, i)
	}
	return items, nil
}

func (p *notationParser) field(depth int) (any, error) {
	name, err := p.name()
	if err != nil {
		return nil, err
	}
	if !p.take(':') {
		return nil, p.expected(": and the field's type")
	}
	t, err := p.typ(depth + 1)
	return map[string]any{"name": name, "typ": t}, err
}

func (p *notationParser) variantCase(depth int) (any, error) {
	name, err := p.name()
	if err != nil || !p.take('(') {
		return map[string]any{"name": name}, err
	}
	t, err := p.typ(depth + 1)
	if err == nil && !p.take(')') {
		err = p.expected(")")
	}
	return map[string]any{"name": name, "typ": t}, err
}

func (p *notationParser) result(depth int) (map[string]any, error) {
	result := map[string]any{"type": "Result"}
	if !p.take('<') {
		return result, nil
	}
	for i, member := range []string{"ok", "err"} {
		if i > 0 && !p.take(',') {
			break
		}
		if p.peek() == '_' && len(wordOf(p.text[p.at:])) == 1 {
			p.at++
			continue
		}
		t, err := p.typ(depth + 1)
		if err != nil {
			return nil, err
		}
		result[member] = t
	}
	if !p.take('>') {
		return nil, p.expected(">")
	}
	return result, nil
}

// name reads a word or a JSON string.
func (p *notationParser) name() (string, error) {
	if p.peek() != '"' {
		if word := p.word(); word != "" {
			return word, nil
		}
		return "", p.expected("a name: letters, digits, _ and -, or else a string in double quotes")
	}
	start := p.at
	raw, err := p.rawJSON()
	if err != nil {
		return "", err
	}
	v, err := decode("name", raw, MaxTypeBytes, 1)
	if err != nil {
		return "", p.problem(start, "%v", err)
	}
	name, _ := v.(string)
	return name, nil
}

// json reads a type in its JSON form.
func (p *notationParser) json(depth int) (map[string]any, error) {
	start := p.at
	raw, err := p.rawJSON()
	if err != nil {
		return nil, err
	}
	v, err := decode("type", raw, MaxTypeBytes, maxTypeDepth)
	if err == nil {
		_, err = typeParser{}.typ(v, "type", depth)
	}
	if err != nil {
		return nil, p.problem(start, "%v", err)
	}
	tree, _ := v.(map[string]any)
	return tree, nil
}

// rawJSON skips the next JSON value.
func (p *notationParser) rawJSON() ([]byte, error) {
	decoder := json.NewDecoder(strings.NewReader(p.text[p.at:]))
	var raw json.RawMessage
	if err := decoder.Decode(&raw); err != nil {
		return nil, p.problem(p.at, "not valid JSON from here")
	}
	p.at += int(decoder.InputOffset())
	return raw, nil
}
