// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNotReady(t *testing.T) {
	const head = `"apiVersion":"latchkey.dev/v1alpha1","kind":"UserSecret","metadata":{"name":"a","namespace":"n","generation":2}`
	for name, test := range map[string]struct {
		object string
		want   []string
	}{
		"an object that is Ready":                  {`{` + head + `,"status":{"conditions":[{"type":"Other","status":"False"},{"type":"Ready","status":"True","observedGeneration":2}]}}`, nil},
		"one that nobody has looked at":            {`{` + head + `}`, []string{"UserSecret n/a has no Ready condition yet"}},
		"one that was looked at before its change": {`{` + head + `,"status":{"conditions":[{"type":"Ready","status":"True","observedGeneration":1}]}}`, []string{"UserSecret n/a was changed and not looked at again"}},
		"one that cannot be Ready says why":        {`{` + head + `,"status":{"conditions":[{"type":"Ready","status":"False","reason":"Conflict","observedGeneration":2}]}}`, []string{"UserSecret n/a is not Ready: Conflict"}},
		"an object of somebody else":               {`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"n"}}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var list objectList
			if err := json.Unmarshal([]byte(`{"items":[`+test.object+`]}`), &list); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, list.notReady()); diff != "" {
				t.Errorf("waiting for (-want +got):\n%s", diff)
			}
		})
	}
}
