// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"bytes"
	"errors"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// span is a part of a document's text. That of a scalar is its content, without quotes.
type span struct{ start, end int }

var errPlace = errors.New("its place in the text cannot be found: change it by hand")

// start returns where a node begins, after properties such as tags and anchors. The
// parser's columns count characters.
func (d *document) start(n *yaml.Node) (int, error) {
	at := 0
	for range n.Line - 1 {
		i := bytes.IndexByte(d.text[at:], '\n')
		if i < 0 {
			return 0, errPlace
		}
		at += i + 1
	}
	for range n.Column - 1 {
		if at >= len(d.text) {
			return 0, errPlace
		}
		_, size := utf8.DecodeRune(d.text[at:])
		at += size
	}
	for at < len(d.text) && (d.text[at] == '!' || d.text[at] == '&') {
		at = d.blanks(at+len(wordAt(d.text[at:])), true)
	}
	return at, nil
}

func wordAt(text []byte) []byte {
	if i := bytes.IndexAny(text, " \t\r\n"); i >= 0 {
		return text[:i]
	}
	return text
}

// blanks returns the place after white space and, if asked, comments and ends of lines.
func (d *document) blanks(at int, lines bool) int {
	for at < len(d.text) {
		switch c := d.text[at]; {
		case c == ' ' || c == '\t', lines && (c == '\r' || c == '\n'):
			at++
		case lines && c == '#':
			i := bytes.IndexByte(d.text[at:], '\n')
			if i < 0 {
				return len(d.text)
			}
			at += i
		default:
			return at
		}
	}
	return at
}

// scalar returns the content of a scalar, and where all of it ends.
func (d *document) scalar(n *yaml.Node) (content span, end int, err error) {
	at, err := d.start(n)
	if err != nil {
		return span{}, 0, err
	}
	quote := byte(0)
	if at < len(d.text) {
		quote = d.text[at]
	}
	switch {
	case n.Style&yaml.DoubleQuotedStyle != 0 && quote == '"', n.Style&yaml.SingleQuotedStyle != 0 && quote == '\'':
		for i := at + 1; i < len(d.text); i++ {
			switch c := d.text[i]; {
			case c == '\\' && quote == '"', c == quote && quote == '\'' && i+1 < len(d.text) && d.text[i+1] == quote:
				i++
			case c == quote:
				return span{at + 1, i}, i + 1, nil
			}
		}
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 && (quote == '|' || quote == '>'):
		return d.block(at)
	case n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0:
		if end, ok := d.plain(at, n.Value); ok {
			return span{at, end}, end, nil
		}
	}
	return span{}, 0, errPlace
}

// plain returns where a plain scalar ends: its text is written as it is, except for ends
// of lines.
func (d *document) plain(at int, value string) (end int, ok bool) {
	words := strings.Fields(value)
	for i, word := range words {
		if !bytes.HasPrefix(d.text[at:], []byte(word)) {
			return 0, false
		}
		at += len(word)
		if i < len(words)-1 {
			at = d.blanks(at, true)
		}
	}
	return at, true
}

// block returns the lines of a block scalar: content is the text of its only line, or all
// lines.
func (d *document) block(at int) (content span, end int, err error) {
	indent, lines := -1, 0
	i := bytes.IndexByte(d.text[at:], '\n')
	if i < 0 {
		return span{}, 0, errPlace
	}
	if header, _, _ := bytes.Cut(d.text[at+1:at+i], []byte("#")); bytes.ContainsAny(header, "0123456789") {
		return span{}, 0, errPlace // says by how much it is indented
	}
	for at += i + 1; at < len(d.text); {
		next := len(d.text)
		if i := bytes.IndexByte(d.text[at:], '\n'); i >= 0 {
			next = at + i + 1
		}
		line := bytes.TrimRight(d.text[at:next], "\r\n")
		spaces := len(line) - len(bytes.TrimLeft(line, " "))
		if spaces < len(line) {
			if indent < 0 {
				indent = spaces
			}
			if spaces < indent || indent == 0 {
				break
			}
			if lines++; lines == 1 {
				content.start = at + indent
			}
			content.end = at + len(line)
		}
		at = next
	}
	if lines == 0 {
		return span{}, 0, errPlace
	}
	return content, content.end, nil
}

// end returns where a node ends.
func (d *document) end(n *yaml.Node) (int, error) {
	at, err := d.start(n)
	if err != nil {
		return 0, err
	}
	switch n.Kind {
	case yaml.ScalarNode:
		_, end, err := d.scalar(n)
		return end, err
	case yaml.AliasNode:
		return at + len("*") + len(n.Value), nil
	}
	flow := n.Style&yaml.FlowStyle != 0
	if flow {
		at++
	}
	for _, child := range n.Content {
		end, err := d.end(child)
		if err != nil {
			return 0, err
		}
		at = max(at, end)
	}
	if !flow {
		return at, nil
	}
	for at < len(d.text) {
		at = d.blanks(at, true)
		if at < len(d.text) && (d.text[at] == '}' || d.text[at] == ']') {
			return at + 1, nil
		}
		at++ // a comma, or the colon of a member without a value
	}
	return 0, errPlace
}
