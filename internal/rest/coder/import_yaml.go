// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package coder

import (
	"errors"
	"io"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/latchkey-dev/latchkey/internal/seal"
)

// parseYAML reads one document: a mapping of strings to string scalars. It
// looks at the parsed nodes and decodes none of them, so an alias is seen as
// such and never followed, and the work is linear in the file, which is bounded.
func parseYAML(content string) ([]entry, error) {
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
		return nil, fileErrorf("YAML content must be a single document mapping secret names to string values")
	case !errors.Is(err, io.EOF):
		return nil, invalidYAML(err)
	}
	if len(document.Content) != 1 || document.Content[0].Kind != yaml.MappingNode {
		return nil, fileErrorf("YAML content must be a mapping of secret names to string values")
	}
	nodes := document.Content[0].Content // key, value, key, value, …
	entries := make([]entry, 0, len(nodes)/2)
	for i := 0; i+1 < len(nodes); i += 2 {
		e, err := yamlEntry(nodes[i], nodes[i+1])
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, nil
}

func yamlEntry(key, value *yaml.Node) (entry, error) {
	if !isYAMLString(key) {
		return entry{}, fileErrorf("YAML keys must be strings")
	}
	switch {
	case value.Kind == yaml.AliasNode:
		return entry{}, fileErrorf("value for key %s must be a literal string; YAML aliases are not supported",
			quoteKey(key.Value))
	case value.Kind != yaml.ScalarNode:
		return entry{}, fileErrorf("value for key %s must be a string, not a nested mapping or sequence",
			quoteKey(key.Value))
	case !isYAMLString(value):
		return entry{}, fileErrorf("value for key %s must be a string (quote the value if it is numeric or boolean)",
			quoteKey(key.Value))
	}
	return entry{key: key.Value, value: seal.ValueOf(value.Value), line: key.Line}, nil
}

func isYAMLString(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str" }

var yamlErrorLine = regexp.MustCompile(`^yaml: line (\d+): `)

// invalidYAML says where the file is broken, but not in the parser's words:
// those may repeat what they stumble over, such as a password that begins with
// an asterisk and so looks like an alias.
func invalidYAML(err error) error {
	if strings.HasPrefix(err.Error(), "yaml: unknown anchor ") {
		return fileErrorf("invalid YAML: an unquoted * begins an alias, and YAML aliases are not supported")
	}
	if at := yamlErrorLine.FindStringSubmatch(err.Error()); at != nil {
		return fileErrorf("invalid YAML: syntax error near line %s", at[1])
	}
	return fileErrorf("invalid YAML: syntax error")
}
