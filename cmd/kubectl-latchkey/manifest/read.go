// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
)

// MaxBytes is the largest file that is read.
const MaxBytes = 8 << 20

// Kinds of objects that are found.
const (
	KindUser  = "UserSecret"
	KindAgent = "AgentSecret"
)

// Object is a UserSecret or an AgentSecret in a file.
type Object struct {
	// Kind, Namespace and Name are what the file says; Namespace may be "".
	Kind, Namespace, Name string
	// Line is where the object begins; the first is 1.
	Line int
	// JSON is the object as kubectl would send it.
	JSON []byte
	// SealedValue is spec.sealedValue, "" for none.
	SealedValue string
	// HasValue reports whether spec.value is there.
	HasValue bool

	doc  *document
	spec *yaml.Node
}

// Skipped is a part of a file that may hold objects and cannot be read.
type Skipped struct {
	// Line is where it begins.
	Line int
	// Reason says why.
	Reason string
}

// document is one document of a file.
type document struct {
	// text is a part of the file that begins at byte offset, on line.
	text         []byte
	offset, line int
	root         *yaml.Node
	// aliased are the nodes that an alias refers to.
	aliased map[*yaml.Node]bool
}

var bom = []byte("\ufeff")

// Read finds the objects of a file, in their order. It ignores objects of other kinds.
func Read(file []byte) (objects []*Object, skipped []Skipped) {
	skip := func(line int, reason string) {
		skipped = append(skipped, Skipped{Line: line, Reason: reason})
	}
	switch {
	case len(file) > MaxBytes:
		skip(1, "the file is too large")
		return nil, skipped
	case !utf8.Valid(file):
		if bytes.Contains(file, []byte(v1alpha1.GroupVersion.Group)) {
			skip(1, "the file is not UTF-8 text")
		}
		return nil, skipped
	}
	for _, d := range documents(file) {
		if !mentions(d.text) {
			continue
		}
		found, reason := d.read()
		if reason != "" {
			skip(d.line, reason)
		}
		objects = append(objects, found...)
	}
	return objects, skipped
}

// mentions reports whether a text may hold an object of ours.
func mentions(text []byte) bool {
	return bytes.Contains(text, []byte(KindUser)) || bytes.Contains(text, []byte(KindAgent))
}

// documents splits a file at its lines of three dashes. A document contains no such line:
// neither a block nor a quoted text can have one.
func documents(file []byte) []*document {
	offset := 0
	if bytes.HasPrefix(file, bom) {
		offset = len(bom)
	}
	d := &document{offset: offset, line: 1}
	var all []*document
	line := 0
	for at := offset; at < len(file); {
		line++
		end := len(file)
		if i := bytes.IndexByte(file[at:], '\n'); i >= 0 {
			end = at + i + 1
		}
		text := bytes.TrimRight(file[at:end], "\r\n")
		if at > d.offset && bytes.HasPrefix(text, []byte("---")) && (len(text) == 3 || text[3] == ' ' || text[3] == '\t') {
			d.text = file[d.offset:at]
			all = append(all, d)
			d = &document{offset: at, line: line}
		}
		at = end
	}
	d.text = file[d.offset:]
	return append(all, d)
}

// read returns the objects of a document, or why it cannot be read.
func (d *document) read() (objects []*Object, reason string) {
	if bytes.ContainsAny(d.text, "\u0085\u2028\u2029") {
		return nil, "it has a character (U+0085, U+2028 or U+2029) that YAML takes for the end of a line"
	}
	root, err := parse(d.text)
	if err != nil {
		if bytes.Contains(d.text, []byte("{{")) {
			return nil, "it is a template"
		}
		return nil, "it is not valid YAML"
	}
	d.root, d.aliased = root, map[*yaml.Node]bool{}
	if root == nil {
		return nil, ""
	}
	walk(root, func(n *yaml.Node) {
		if n.Kind == yaml.AliasNode {
			d.aliased[n.Alias] = true
		}
	})
	// Read like kubectl does: the API server would get this.
	raw := d.text
	if !json.Valid(raw) {
		if raw, err = sigsyaml.YAMLToJSON(raw); err != nil {
			return nil, "it is not valid YAML"
		}
	}
	return d.objects(root, raw), ""
}

var errSecond = errors.New("a second document")

// parse returns the node below the one document of a text, nil where there is none.
func parse(text []byte) (*yaml.Node, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(asYAML(text)))
	var n, second yaml.Node
	if err := decoder.Decode(&n); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		if err == nil {
			err = errSecond
		}
		return nil, err
	}
	if len(n.Content) != 1 {
		return nil, nil
	}
	return n.Content[0], nil
}

// asYAML replaces what JSON allows and the parser does not know, byte for byte: tabs
// between words, and escapes, whose meaning does not matter here.
func asYAML(text []byte) []byte {
	if !json.Valid(text) {
		return text
	}
	out := bytes.ReplaceAll(text, []byte("\t"), []byte(" "))
	for i := 0; i < len(out); i++ {
		if out[i] != '\\' {
			continue
		}
		switch i++; out[i] {
		case '/':
			out[i] = 'n'
		case 'u':
			copy(out[i+1:], "0041")
		}
	}
	return out
}

func walk(n *yaml.Node, see func(*yaml.Node)) {
	see(n)
	for _, child := range n.Content {
		walk(child, see)
	}
}

// objects returns the object of a node, or the objects of a list.
func (d *document) objects(n *yaml.Node, raw json.RawMessage) []*Object {
	var header struct {
		APIVersion any `json:"apiVersion"`
		Kind       any `json:"kind"`
		Metadata   struct {
			Name      any `json:"name"`
			Namespace any `json:"namespace"`
		} `json:"metadata"`
		Spec  map[string]json.RawMessage `json:"spec"`
		Items []json.RawMessage          `json:"items"`
	}
	if n.Kind != yaml.MappingNode || json.Unmarshal(raw, &header) != nil {
		return nil
	}
	kind, _ := header.Kind.(string)
	if strings.HasSuffix(kind, "List") {
		_, items := member(n, "items")
		if items == nil || len(items.Content) != len(header.Items) {
			return nil
		}
		var all []*Object
		for i, item := range items.Content {
			all = append(all, d.objects(item, header.Items[i])...)
		}
		return all
	}
	version, _ := header.APIVersion.(string)
	group, _, _ := strings.Cut(version, "/")
	if group != v1alpha1.GroupVersion.Group || kind != KindUser && kind != KindAgent {
		return nil
	}
	o := &Object{Kind: kind, Line: d.line + n.Line - 1, JSON: raw, doc: d}
	o.Name, _ = header.Metadata.Name.(string)
	o.Namespace, _ = header.Metadata.Namespace.(string)
	_ = json.Unmarshal(header.Spec["sealedValue"], &o.SealedValue)
	_, o.HasValue = header.Spec["value"]
	_, o.spec = member(n, "spec")
	return []*Object{o}
}

// member returns a member of a mapping and its key, or nil.
func member(n *yaml.Node, name string) (key, value *yaml.Node) {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil, nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if k := n.Content[i]; k.Kind == yaml.ScalarNode && k.Value == name {
			key, value = k, n.Content[i+1]
		}
	}
	return key, value
}
