// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package users

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// crd is what kubectl explain reads of the CRD.
type crd struct {
	Spec struct {
		Versions []struct {
			Schema struct {
				OpenAPIV3Schema schema `json:"openAPIV3Schema"`
			} `json:"schema"`
		} `json:"versions"`
	} `json:"spec"`
}

type schema struct {
	Description string            `json:"description"`
	MaxLength   int               `json:"maxLength"`
	MaxItems    int               `json:"maxItems"`
	Properties  map[string]schema `json:"properties"`
}

func specOf(t *testing.T, resource string) schema {
	t.Helper()
	text, err := os.ReadFile("../../../config/crd/bases/latchkey.dev_" + resource + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	var definition crd
	if err := yaml.Unmarshal(text, &definition); err != nil {
		t.Fatal(err)
	}
	return definition.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"]
}

// TestCheck_ARefusal_IsExplainedByTheField holds that kubectl explain, to which a refusal
// points, states the rule that was broken.
func TestCheck_ARefusal_IsExplainedByTheField(t *testing.T) {
	fields := specOf(t, "usersecrets").Properties
	long := strings.Repeat("x", 30000)
	for name, tt := range map[string]struct {
		draft Draft
		field Field
		rule  string
	}{
		"a name with a slash":       {Draft{Name: "a/b"}, FieldName, "none of them /, ?, # or null"},
		"a name with whitespace":    {Draft{Name: " a"}, FieldName, "no whitespace at its ends"},
		"a name of dots":            {Draft{Name: ".."}, FieldName, `neither "." nor ".."`},
		"a long name":               {Draft{Name: long}, FieldName, "1 to 253 bytes"},
		"no name":                   {Draft{}, FieldName, "1 to 253 bytes"},
		"a variable with a dash":    {Draft{Name: "a", Env: "A-B"}, FieldEnv, "starts with a letter or underscore, followed by letters, digits or underscores"},
		"a long variable":           {Draft{Name: "a", Env: long}, FieldEnv, "at most 256"},
		"a variable of the system":  {Draft{Name: "a", Env: "PATH"}, FieldEnv, "Reserved are variables of shells and systems, such as PATH"},
		"a variable with a prefix":  {Draft{Name: "a", Env: "GIT_X"}, FieldEnv, "names that begin with CODER_, GIT_, LC_, LD_ or DYLD_"},
		"a relative file":           {Draft{Name: "a", File: "x"}, FieldFile, "starts with ~/ or /"},
		"a long file":               {Draft{Name: "a", File: "/" + long}, FieldFile, "at most 4096 bytes"},
		"a long description":        {Draft{Name: "a", Description: long}, FieldDescription, "at most 4096 bytes"},
		"a description with a null": {Draft{Name: "a", Description: "a\x00"}, FieldDescription, "without null bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			problems := tt.draft.Check()
			if len(problems) != 1 || problems[0].Field != tt.field {
				t.Fatalf("the problems are %v", problems)
			}
			_, field, _ := strings.Cut(tt.field.Path(), ".")
			if explained := strings.Join(strings.Fields(fields[field].Description), " "); !strings.Contains(explained, tt.rule) {
				t.Errorf("kubectl explain usersecrets.%s does not state %q: %s", tt.field.Path(), tt.rule, explained)
			}
		})
	}
}

// TestExplain_EveryLimitOfTheSchema_IsStated holds that of the lengths that the API server
// refuses by itself.
func TestExplain_EveryLimitOfTheSchema_IsStated(t *testing.T) {
	for _, resource := range []string{"usersecrets", "agentsecrets"} {
		spec := specOf(t, resource)
		var walk func(path string, s schema)
		walk = func(path string, s schema) {
			for _, limit := range []int{s.MaxLength, s.MaxItems} {
				// Nobody types a sealed value.
				if limit > 0 && !strings.HasSuffix(path, ".sealedValue") && !strings.Contains(s.Description, strconv.Itoa(limit)) {
					t.Errorf("kubectl explain %s does not state the limit of %d: %s", path, limit, s.Description)
				}
			}
			for name, below := range s.Properties {
				walk(path+"."+name, below)
			}
		}
		walk(resource+".spec", spec)
	}
}
