// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package notation

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/latchkey-dev/latchkey/internal/typedvalue"
)

// Error says where a type that somebody wrote is wrong.
type Error struct {
	// Line and Column are the place. Both begin at 1, and columns count characters.
	Line, Column int
	// Problem says what is wrong there.
	Problem string
}

// Error names the place and the problem.
func (e *Error) Error() string {
	if e.Line > 1 {
		return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Problem)
	}
	return fmt.Sprintf("column %d: %s", e.Column, e.Problem)
}

// Parse reads a type as people write it, or its JSON form. Its errors about the
// text are a *Error.
func Parse(text string) (*typedvalue.Type, error) {
	switch {
	case len(text) > typedvalue.MaxTypeBytes:
		return nil, fmt.Errorf("type: longer than %d bytes", typedvalue.MaxTypeBytes)
	case !utf8.ValidString(text):
		return nil, fmt.Errorf("type: not valid UTF-8")
	}
	p := &parser{text: text}
	tree, err := p.typ(0)
	if err == nil && p.peek() != 0 {
		err = p.expected("nothing more after the type")
	}
	if err != nil {
		return nil, err
	}
	var form bytes.Buffer
	encoder := json.NewEncoder(&form)
	encoder.SetEscapeHTML(false) // with escapes, it might be too long
	if err := encoder.Encode(tree); err != nil {
		return nil, err
	}
	return parseForm(form.Bytes())
}

// parseForm reads a type in its JSON form.
func parseForm(text []byte) (*typedvalue.Type, error) {
	t, err := typedvalue.ParseType(text)
	if err != nil {
		return nil, errors.New("type" + strings.TrimPrefix(err.Error(), "secretType"))
	}
	return t, nil
}

// parser turns the notation into the tree of the JSON form.
type parser struct {
	text string
	at   int
}

func (p *parser) problem(at int, format string, args ...any) error {
	before := p.text[:at]
	line := strings.Count(before, "\n") + 1
	column := utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
	return &Error{Line: line, Column: column, Problem: fmt.Sprintf(format, args...)}
}

func (p *parser) expected(what string) error {
	p.peek()
	return p.problem(p.at, "expected %s", what)
}

// peek returns the next character that is not white space, or 0 at the end.
func (p *parser) peek() byte {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
	if p.at == len(p.text) {
		return 0
	}
	return p.text[p.at]
}

// take skips c if it is next, and reports whether it was.
func (p *parser) take(c byte) bool {
	if p.peek() != c {
		return false
	}
	p.at++
	return true
}

func (p *parser) word() string {
	p.peek()
	word := wordOf(p.text[p.at:])
	p.at += len(word)
	return word
}

func (p *parser) typ(depth int) (any, error) {
	if depth > typedvalue.MaxNesting {
		return nil, p.expected(fmt.Sprintf("at most %d levels of nesting", typedvalue.MaxNesting))
	}
	if p.peek() == '{' {
		return p.json()
	}
	start := p.at
	word := p.word()
	if tag, ok := tagByWord[word]; ok {
		return map[string]any{"type": tag}, nil
	}
	switch word {
	case wordOption:
		inner, err := p.angles(depth, 1, 1)
		return p.with("Option", "inner", first(inner), err)
	case wordList:
		inner, err := p.angles(depth, 1, 1)
		return p.with("List", "inner", first(inner), err)
	case wordTuple:
		items, err := p.angles(depth, 0, len(p.text))
		return p.with("Tuple", "items", items, err)
	case wordRecord:
		fields, err := p.braces(func() (any, error) { return p.field(depth) })
		return p.with("Record", "fields", fields, err)
	case wordVariant:
		cases, err := p.braces(func() (any, error) { return p.variantCase(depth) })
		return p.with("Variant", "cases", cases, err)
	case wordEnum:
		cases, err := p.braces(func() (any, error) { return p.name() })
		return p.with("Enum", "cases", cases, err)
	case wordFlags:
		names, err := p.braces(func() (any, error) { return p.name() })
		return p.with("Flags", "names", names, err)
	case wordResult:
		return p.result(depth)
	}
	p.at = start
	return nil, p.expected("a type: bool, s8 to s64, u8 to u64, f32, f64, char, string, option<…>, list<…>, tuple<…>, " +
		"record{…}, variant{…}, enum{…}, flags{…}, result<…>, or its JSON form")
}

func (p *parser) with(tag, member string, value any, err error) (any, error) {
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
func (p *parser) angles(depth, least, most int) ([]any, error) {
	types, err := p.list('<', '>', most, func() (any, error) { return p.typ(depth + 1) })
	if err == nil && len(types) < least {
		p.at--
		return nil, p.expected("a type")
	}
	return types, err
}

// braces reads items in braces.
func (p *parser) braces(item func() (any, error)) ([]any, error) {
	return p.list('{', '}', len(p.text), item)
}

// list reads at most so many items between two characters, with commas between them.
func (p *parser) list(opens, closes byte, most int, item func() (any, error)) ([]any, error) {
	if !p.take(opens) {
		return nil, p.expected(string(opens))
	}
	items := []any{}
	for !p.take(closes) {
		if len(items) > 0 && !p.take(',') {
			return nil, p.expected(", or " + string(closes))
		}
		if len(items) > 0 && p.take(closes) {
			break
		}
		if len(items) == most {
			return nil, p.expected(string(closes))
		}
		i, err := item()
		if err != nil {
			return nil, err
		}
		items = append(items, i)
	}
	return items, nil
}

func (p *parser) field(depth int) (any, error) {
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

func (p *parser) variantCase(depth int) (any, error) {
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

func (p *parser) result(depth int) (any, error) {
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
func (p *parser) name() (string, error) {
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
	if err := typedvalue.VetJSON("name", raw, 1); err != nil {
		return "", p.problem(start, "%v", err)
	}
	var name string
	err = json.Unmarshal(raw, &name)
	return name, err
}

// json reads a type in its JSON form.
func (p *parser) json() (any, error) {
	start := p.at
	raw, err := p.rawJSON()
	if err != nil {
		return nil, err
	}
	if _, err := parseForm(raw); err != nil {
		return nil, p.problem(start, "%v", err)
	}
	return raw, nil
}

// rawJSON skips the next JSON value.
func (p *parser) rawJSON() (json.RawMessage, error) {
	decoder := json.NewDecoder(strings.NewReader(p.text[p.at:]))
	var raw json.RawMessage
	if err := decoder.Decode(&raw); err != nil {
		return nil, p.problem(p.at, "not valid JSON from here")
	}
	p.at += int(decoder.InputOffset())
	return raw, nil
}
