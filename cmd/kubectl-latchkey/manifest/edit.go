// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"bytes"
	"cmp"
	"errors"
	"slices"

	"go.yaml.in/yaml/v3"
)

// Edit is one change of a file.
type Edit struct {
	start, end int
	text       string
}

// Reseal replaces the content of spec.sealedValue.
func (o *Object) Reseal(text string) (Edit, error) {
	_, value, err := o.member("sealedValue")
	if err != nil {
		return Edit{}, err
	}
	if o.doc.aliased[value] {
		return Edit{}, errors.New("spec.sealedValue has an anchor that is used elsewhere: change it by hand")
	}
	content, _, err := o.doc.scalar(value)
	if err != nil {
		return Edit{}, err
	}
	return o.doc.edit(content, text, map[*yaml.Node]string{value: text})
}

// Seal replaces spec.value, whatever its form, with a sealedValue. Comments within the
// value are removed with it, because they may be about it.
func (o *Object) Seal(text string) (Edit, error) {
	key, value, err := o.member("value")
	if err != nil {
		return Edit{}, err
	}
	used := false
	walk(value, func(n *yaml.Node) { used = used || o.doc.aliased[n] })
	if used {
		return Edit{}, errors.New("spec.value has an anchor that is used elsewhere: change it by hand")
	}
	name, colon, err := o.doc.scalar(key)
	if err != nil {
		return Edit{}, err
	}
	if colon = o.doc.blanks(colon, false); colon >= len(o.doc.text) || o.doc.text[colon] != ':' {
		return Edit{}, errPlace
	}
	end, err := o.doc.end(value)
	if err != nil {
		return Edit{}, err
	}
	quoted := text
	if key.Style&yaml.DoubleQuotedStyle != 0 {
		quoted = `"` + text + `"`
	}
	changed := "sealedValue" + string(o.doc.text[name.end:colon+1]) + " " + quoted
	return o.doc.edit(span{name.start, max(end, colon+1)}, changed, map[*yaml.Node]string{key: "sealedValue", value: text})
}

// member returns the one member of spec of that name.
func (o *Object) member(name string) (key, value *yaml.Node, err error) {
	key, value = member(o.spec, name)
	switch {
	case o.spec != nil && o.spec.Kind == yaml.AliasNode:
		return nil, nil, errors.New("spec is an alias: change it where its anchor is, by hand")
	case value == nil:
		return nil, nil, errors.New("spec." + name + " comes from elsewhere, by an alias or a merge: change it there, by hand")
	case value.Kind == yaml.AliasNode:
		return nil, nil, errors.New("spec." + name + " is an alias: change it where its anchor is, by hand")
	}
	return key, value, nil
}

// edit returns a change of a document, after checking that it gives the nodes in want their
// new texts and changes no other node.
func (d *document) edit(at span, text string, want map[*yaml.Node]string) (Edit, error) {
	if at.start < 0 || at.end < at.start || at.end > len(d.text) {
		return Edit{}, errPlace
	}
	changed := slices.Concat(d.text[:at.start], []byte(text), d.text[at.end:])
	root, err := parse(changed)
	if err != nil || root == nil || !same(d.root, root, want) {
		return Edit{}, errPlace
	}
	return Edit{start: d.offset + at.start, end: d.offset + at.end, text: text}, nil
}

// same reports whether two trees differ only in the nodes of want, which have the texts
// that want has for them.
func same(was, is *yaml.Node, want map[*yaml.Node]string) bool {
	if text, changed := want[was]; changed {
		return is.Kind == yaml.ScalarNode && is.ShortTag() == "!!str" && is.Value == text
	}
	if was.Kind != is.Kind || was.ShortTag() != is.ShortTag() || was.Value != is.Value || was.Anchor != is.Anchor || len(was.Content) != len(is.Content) {
		return false
	}
	for i := range was.Content {
		if !same(was.Content[i], is.Content[i], want) {
			return false
		}
	}
	return true
}

// Apply returns a file with changes of its objects.
func Apply(file []byte, edits []Edit) []byte {
	edits = slices.SortedFunc(slices.Values(edits), func(a, b Edit) int { return cmp.Compare(a.start, b.start) })
	var out bytes.Buffer
	at := 0
	for _, e := range edits {
		out.Write(file[at:e.start])
		out.WriteString(e.text)
		at = e.end
	}
	out.Write(file[at:])
	return out.Bytes()
}
