// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package imports

import (
	"errors"
	"io"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/latchkey-dev/latchkey/internal/seal"
)

// otherBreaks end lines for the parser, as they did in YAML 1.1, and not for YAML 1.2
// and people. It would turn the first into a line feed and count lines that no editor
// shows.
const otherBreaks = "\u0085\u2028\u2029"

// parseYAML reads one document: a mapping of strings to string scalars. It
// looks at the parsed nodes and decodes none of them, so an alias is seen as
// such and never followed, and the work is linear in the file, which is bounded.
func parseYAML(content string) ([]Entry, error) {
	if strings.ContainsAny(content, otherBreaks) {
		return nil, errorf("invalid YAML: the characters U+0085, U+2028 and U+2029 can only be written as escapes, " +
			"such as \"\\u2028\"")
	}
	decoder := yaml.NewDecoder(strings.NewReader(content))
	var document, second yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil, nil // nothing but comments
	case err != nil:
		return nil, invalidYAML(err)
	}
	switch err := decoder.Decode(&second); {
	case err == nil:
		return nil, errorf("YAML content must be a single document mapping secret names to string values")
	case !errors.Is(err, io.EOF):
		return nil, invalidYAML(err)
	}
	if len(document.Content) != 1 || document.Content[0].Kind != yaml.MappingNode {
		return nil, errorf("YAML content must be a mapping of secret names to string values")
	}
	nodes := document.Content[0].Content // key, value, key, value, …
	entries := make([]Entry, 0, len(nodes)/2)
	for i := 0; i+1 < len(nodes); i += 2 {
		e, err := yamlEntry(nodes[i], nodes[i+1])
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, nil
}

func yamlEntry(key, value *yaml.Node) (Entry, error) {
	if !isYAMLString(key) {
		return Entry{}, errorf("YAML keys must be strings")
	}
	switch {
	case value.Kind == yaml.AliasNode:
		return Entry{}, errorf("value for key %s must be a literal string; YAML aliases are not supported",
			quoteKey(key.Value))
	case value.Kind != yaml.ScalarNode:
		return Entry{}, errorf("value for key %s must be a string, not a nested mapping or sequence",
			quoteKey(key.Value))
	case !isYAMLString(value):
		return Entry{}, errorf("value for key %s must be a string (quote the value if it is numeric or boolean)",
			quoteKey(key.Value))
	}
	return Entry{Key: key.Value, Value: seal.ValueOf(value.Value), Line: key.Line}, nil
}

func isYAMLString(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str" }

var yamlErrorLine = regexp.MustCompile(`^yaml: line (\d+): `)

// invalidYAML says where the file is broken, but not in the parser's words:
// those may repeat what they stumble over, such as a password that begins with
// an asterisk and so looks like an alias.
func invalidYAML(err error) error {
	if strings.HasPrefix(err.Error(), "yaml: unknown anchor ") {
		return errorf("invalid YAML: an unquoted * begins an alias, and YAML aliases are not supported")
	}
	if at := yamlErrorLine.FindStringSubmatch(err.Error()); at != nil {
		return errorf("invalid YAML: syntax error near line %s", at[1])
	}
	return errorf("invalid YAML: syntax error")
}
