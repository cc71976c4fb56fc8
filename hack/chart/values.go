// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"go.yaml.in/yaml/v3"
)

// valuesTable returns a Markdown table of a values file: each value with its default
// and the comment above it. A value without a comment is an error.
func valuesTable(path string) ([]byte, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var document yaml.Node
	if err := yaml.Unmarshal(content, &document); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var out bytes.Buffer
	out.WriteString("| value | default | what it is |\n| --- | --- | --- |\n")
	if err := rows(&out, "", document.Content[0]); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return out.Bytes(), nil
}

// rows writes a line for each value below a mapping.
func rows(out *bytes.Buffer, prefix string, mapping *yaml.Node) error {
	for i := 0; i < len(mapping.Content); i += 2 {
		key, value := mapping.Content[i], mapping.Content[i+1]
		name := prefix + key.Value
		if value.Kind == yaml.MappingNode && len(value.Content) > 0 && !isOneValue(name) {
			if err := rows(out, name+".", value); err != nil {
				return err
			}
			continue
		}
		comment := strings.Join(strings.Fields(strings.ReplaceAll(key.HeadComment, "#", "")), " ")
		if comment == "" {
			return fmt.Errorf("line %d: %s has no comment above it", key.Line, name)
		}
		var plain any
		if err := value.Decode(&plain); err != nil {
			return err
		}
		shown, err := json.Marshal(plain)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "| `%s` | `%s` | %s |\n", name, shown, strings.ReplaceAll(comment, "|", `\|`))
	}
	return nil
}

// isOneValue reports whether a mapping is always set as a whole.
func isOneValue(name string) bool {
	return strings.HasSuffix(name, ".resources") || strings.HasSuffix(name, ".labels")
}
