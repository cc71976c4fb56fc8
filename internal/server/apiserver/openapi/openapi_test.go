// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package openapi

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/kube-openapi/pkg/handler"
	"k8s.io/kube-openapi/pkg/handler3"
	"k8s.io/kube-openapi/pkg/spec3"

	"github.com/latchkey-dev/latchkey/internal/typedvalue"
)

var both = []API{
	Coder("coder.example/v2", "/direct/", "/apis/coder.example/v2/"),
	Golem("golem.example/v1", "/other/", "/apis/golem.example/v1/"),
}

// The cluster merges the document of version 2 into its own: one that does not follow
// the grammar would break kubectl for all.
func TestTheDocumentsFollowTheGrammar(t *testing.T) {
	v2, err := Version2(both...)
	if err != nil {
		t.Fatal(err)
	}
	text, err := v2.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := handler.ToProtoBinary(text); err != nil {
		t.Errorf("version 2: %v", err)
	}
	for _, api := range both {
		v3, err := Version3(api)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(v3)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := handler3.ToV3ProtoBinary(text); err != nil {
			t.Errorf("version 3 of %s: %v", api.Version3, err)
		}
		if strings.Contains(string(text), "#/definitions/") {
			t.Errorf("version 3 of %s refers to version 2", api.Version3)
		}
	}
}

func TestEveryOperationIsComplete(t *testing.T) {
	for _, api := range both {
		v3, err := Version3(api)
		if err != nil {
			t.Fatal(err)
		}
		ids := map[string]string{}
		for path, item := range v3.Paths.Paths {
			for method, op := range operations(item) {
				if other, taken := ids[op.OperationId]; taken || op.OperationId == "" {
					t.Errorf("%s: the id %q is taken by %q or empty", path, op.OperationId, other)
				}
				ids[op.OperationId] = path
				if op.Summary == "" || op.Responses == nil {
					t.Errorf("%s: an operation without summary or responses", path)
					continue
				}
				want := []int{401, 429, 500, 503}
				switch {
				case len(op.SecurityRequirement) == 0:
					want = []int{200}
				case method == "post" && op.RequestBody != nil, method == "patch":
					want = append(want, 400, 403, 404, 409, 413)
				}
				for _, status := range want {
					if _, ok := op.Responses.StatusCodeResponses[status]; !ok {
						t.Errorf("%s: %s does not say what %d looks like", path, op.OperationId, status)
					}
				}
			}
			for name := range strings.SplitSeq(path, "/") {
				if strings.HasPrefix(name, "{") && !slices.ContainsFunc(item.Parameters, func(p *spec3.Parameter) bool {
					return p.In == "path" && "{"+p.Name+"}" == name && p.Required
				}) {
					t.Errorf("%s: the parameter %s is not described", path, name)
				}
			}
		}
	}
}

func TestEveryReferenceIsDefined(t *testing.T) {
	v2, err := Version2(both...)
	if err != nil {
		t.Fatal(err)
	}
	checkReferences(t, "version 2", v2, "#/definitions/", slices.Collect(maps.Keys(v2.Definitions)))
	for _, api := range both {
		v3, err := Version3(api)
		if err != nil {
			t.Fatal(err)
		}
		checkReferences(t, api.Version3, v3, "#/components/schemas/", slices.Collect(maps.Keys(v3.Components.Schemas)))
	}
}

func checkReferences(t *testing.T, what string, document json.Marshaler, prefix string, defined []string) {
	t.Helper()
	text, err := document.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for i, part := range strings.Split(string(text), `"`+prefix) {
		if name, _, _ := strings.Cut(part, `"`); i > 0 {
			used[name] = true
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(used)), slices.Sorted(slices.Values(defined))); diff != "" {
		t.Errorf("%s: schemas (-used +defined):\n%s", what, diff)
	}
}

func TestVersion3_Type_IsOneOfAllTypes(t *testing.T) {
	v3, err := Version3(both[1])
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(v3)
	if err != nil {
		t.Fatal(err)
	}
	type schema struct {
		OneOf []struct {
			Ref string `json:"$ref"`
		} `json:"oneOf"`
		Discriminator struct {
			PropertyName string            `json:"propertyName"`
			Mapping      map[string]string `json:"mapping"`
		} `json:"discriminator"`
		Properties map[string]schemaOfTag `json:"properties"`
	}
	var document struct {
		Components struct{ Schemas map[string]schema } `json:"components"`
	}
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	schemas := document.Components.Schemas
	is := schemas["dev.latchkey.golem.v1.Type"]
	if len(is.OneOf) != 22 || len(is.Discriminator.Mapping) != 22 || is.Discriminator.PropertyName != "type" {
		t.Fatalf("%d alternatives, %d of them by %q", len(is.OneOf), len(is.Discriminator.Mapping), is.Discriminator.PropertyName)
	}
	for i, alternative := range is.OneOf {
		name := strings.TrimPrefix(alternative.Ref, "#/components/schemas/")
		tag := schemas[name].Properties["type"].Enum
		if len(tag) != 1 || is.Discriminator.Mapping[tag[0]] != alternative.Ref {
			t.Errorf("alternative %d, %s, has the tag %v, which leads to %v", i, name, tag, is.Discriminator.Mapping)
			continue
		}
		if _, err := typedvalue.ParseType([]byte(examples[tag[0]])); err != nil {
			t.Errorf("%s is none of the types: %v", tag[0], err)
		}
	}
}

type schemaOfTag struct {
	Enum []string `json:"enum"`
}

// examples are one type of each kind.
var examples = func() map[string]string {
	all := map[string]string{
		"Option": `,"inner":{"type":"Str"}`, "List": `,"inner":{"type":"Str"}`, "Tuple": `,"items":[]`,
		"Record": `,"fields":[]`, "Variant": `,"cases":[{"name":"a"}]`, "Enum": `,"cases":["a"]`, "Flags": `,"names":["a"]`,
		"Result": "", "Handle": `,"resource_id":1,"mode":"Owned"`,
	}
	for _, scalar := range []string{"Bool", "S8", "S16", "S32", "S64", "U8", "U16", "U32", "U64", "F32", "F64", "Chr", "Str"} {
		all[scalar] = ""
	}
	for tag, rest := range all {
		all[tag] = `{"type":"` + tag + `"` + rest + `}`
	}
	return all
}()
