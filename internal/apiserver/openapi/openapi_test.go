// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package openapi

import (
	"encoding/json"
	"strings"
	"testing"

	"k8s.io/kube-openapi/pkg/handler"
	"k8s.io/kube-openapi/pkg/handler3"
)

var both = []API{
	Coder("coder.example/v2", "/direct/users/", "/apis/coder.example/v2/users/"),
	Golem("golem.example/v1", "/direct/", "/apis/golem.example/v1/"),
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
	v2, err := Version2(both...)
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]string{}
	for path, item := range v2.Paths.Paths {
		for _, op := range operations(item) {
			if other, taken := ids[op.ID]; taken || op.ID == "" {
				t.Errorf("%s: the id %q is taken by %q or empty", path, op.ID, other)
			}
			ids[op.ID] = path
			if op.Summary == "" || op.Responses == nil {
				t.Errorf("%s: an operation without summary or responses", path)
				continue
			}
			for _, status := range []int{400, 401, 429, 503} {
				if _, ok := op.Responses.StatusCodeResponses[status]; !ok {
					t.Errorf("%s: %s does not say what %d looks like", path, op.ID, status)
				}
			}
		}
		for _, name := range strings.Split(path, "/") {
			if !strings.HasPrefix(name, "{") {
				continue
			}
			found := false
			for _, p := range item.Parameters {
				found = found || p.In == "path" && "{"+p.Name+"}" == name && p.Required
			}
			if !found {
				t.Errorf("%s: the parameter %s is not described", path, name)
			}
		}
	}
}

func TestEveryReferenceIsDefined(t *testing.T) {
	v2, err := Version2(both...)
	if err != nil {
		t.Fatal(err)
	}
	text, err := v2.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for i, part := range strings.Split(string(text), `"#/definitions/`) {
		if name, _, _ := strings.Cut(part, `"`); i > 0 {
			used[name] = true
		}
	}
	for name := range used {
		if _, ok := v2.Definitions[name]; !ok {
			t.Errorf("%s is referred to and not defined", name)
		}
	}
	for name := range v2.Definitions {
		if !used[name] {
			t.Errorf("%s is defined and not referred to", name)
		}
	}
}
