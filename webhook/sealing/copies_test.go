// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package sealing

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/leak"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

const kapp = "kapp.k14s.io/original"

func TestCopies_Annotations_LoseTheValue(t *testing.T) {
	const gone = "gone"
	for name, tt := range map[string]struct{ name, text, want string }{
		"another annotation stays":             {"a", "some text", "some text"},
		"another annotation as JSON stays":     {"a", `{"spec":{"replicas":1}, "x":"y"}`, `{"spec":{"replicas":1}, "x":"y"}`},
		"a clean manifest stays":               {lastApplied, `{"spec":{"envName":"A"}}` + "\n", `{"spec":{"envName":"A"}}` + "\n"},
		"a manifest without a spec stays":      {lastApplied, `{"kind":"UserSecret"}`, `{"kind":"UserSecret"}`},
		"a value goes":                         {lastApplied, `{"kind":"UserSecret","spec":{"value":"` + canary + `","envName":"A"}}`, `{"kind":"UserSecret","spec":{"envName":"A"}}` + "\n"},
		"a value that is an object goes":       {lastApplied, `{"spec":{"value":{"a":"` + canary + `"}}}`, `{"spec":{}}` + "\n"},
		"a misspelt value goes":                {lastApplied, `{"spec":{"Value":"unknown-99","secretValue":"unknown-99","envName":"A"}}`, `{"spec":{"envName":"A"}}` + "\n"},
		"a value beside spec goes":             {lastApplied, `{"stringData":{"a":"unknown-99"},"data":{"a":"dW5r"},"spec":{}}`, `{"spec":{}}` + "\n"},
		"a value in the status goes":           {lastApplied, `{"spec":{},"status":{"x":"unknown-99"}}`, `{"spec":{}}` + "\n"},
		"a value in a known field goes":        {lastApplied, `{"spec":{"description":"it is ` + canary + `","envName":"A"}}`, `{"spec":{"envName":"A"}}` + "\n"},
		"a value in unknown metadata goes":     {lastApplied, `{"metadata":{"name":"a","value":"unknown-99"}}`, `{"metadata":{"name":"a"}}` + "\n"},
		"a member twice is there once":         {lastApplied, `{"spec":{"description":"unknown-99","description":"fine"}}`, `{"spec":{"description":"fine"}}` + "\n"},
		"a field of another form goes":         {lastApplied, `{"spec":{"envName":{"x":"unknown-99"},"enabled":"unknown-99","path":[{"x":"unknown-99"}]}}`, `{"spec":{}}` + "\n"},
		"a type keeps its words and no others": {lastApplied, `{"spec":{"secretType":{"type":"Enum","cases":["` + canary + `"],"value":"unknown-99"}}}`, `{"spec":{"secretType":{"type":"Enum","cases":["` + canary + `"]}}}` + "\n"},
		"copies in copies go":                  {lastApplied, `{"metadata":{"annotations":{"a":"b","x":"{\"spec\":{\"value\":\"unknown-99\"}}","` + lastApplied + `":"unknown-99"}}}`, `{"metadata":{"annotations":{"a":"b"}}}` + "\n"},
		"what is no JSON goes":                 {lastApplied, "spec: {value: unknown-99}", gone},
		"what is cut short goes":               {lastApplied, `{"spec":{"value":"unknown-99`, gone},
		"a list goes":                          {lastApplied, `["unknown-99"]`, gone},
		"a spec that is none goes":             {lastApplied, `{"spec":"unknown-99"}`, `{}` + "\n"},
		"another tool's copy is reduced":       {kapp, `{"kind":"UserSecret","spec":{"envName":"A","value":"unknown-99"}}`, `{"kind":"UserSecret","spec":{"envName":"A"}}` + "\n"},
		"another tool's copy with a misspelling": {
			kapp, `{"apiVersion":"latchkey.dev/v1alpha1","spec":{"secretValue":"unknown-99"}}`, `{"apiVersion":"latchkey.dev/v1alpha1","spec":{}}` + "\n",
		},
		"a copy without a kind":      {kapp, `{"spec":{"value":"unknown-99"}}`, `{"spec":{}}` + "\n"},
		"the value alone goes":       {"a", canary, gone},
		"the value in YAML goes":     {"a", "spec:\n  value: " + canary + "\n", gone},
		"the value encoded goes":     {"a", base64.StdEncoding.EncodeToString([]byte("x: " + canary)), gone},
		"the value in a script goes": {"a", "echo '" + canary + "' | login", gone},
	} {
		t.Run(name, func(t *testing.T) {
			r := &Review{}
			r.Copies(map[string]string{tt.name: tt.text}, leak.Of(seal.ValueOf(canary)))
			got := tt.text
			for _, p := range r.patches {
				if want := "/metadata/annotations/" + strings.ReplaceAll(tt.name, "/", "~1"); p.Path != want {
					t.Errorf("patched %s, want %s", p.Path, want)
				}
				if got = gone; p.Operation != "remove" {
					got, _ = p.Value.(string)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("the annotation (-want +got):\n%s", diff)
			}
			if again := (&Review{}); got != gone {
				again.Copies(map[string]string{tt.name: got}, leak.Of(seal.ValueOf(canary)))
				if len(again.patches) > 0 {
					t.Errorf("a second time changes it again: %v", again.patches)
				}
			}
			for _, w := range r.warnings {
				if strings.Contains(w, canary) {
					t.Errorf("the warning holds the value: %s", w)
				}
			}
		})
	}
}

func TestKeepOut_ValueInAField_IsRefusedWithoutRepeatingIt(t *testing.T) {
	for want, edit := range map[string]func(*v1alpha1.UserSecret, map[string]string){
		"":                func(u *v1alpha1.UserSecret, _ map[string]string) { u.Annotations = map[string]string{"a": canary} },
		"metadata.name":   func(u *v1alpha1.UserSecret, _ map[string]string) { u.Name = "x." + canary },
		"metadata.labels": func(u *v1alpha1.UserSecret, _ map[string]string) { u.Labels = map[string]string{"a": canary} },
		"metadata.annotations": func(u *v1alpha1.UserSecret, _ map[string]string) {
			u.Annotations = map[string]string{"x/" + canary: ""}
		},
		"metadata.finalizers": func(u *v1alpha1.UserSecret, _ map[string]string) { u.Finalizers = []string{"x/" + canary} },
		"metadata.managedFields": func(u *v1alpha1.UserSecret, _ map[string]string) {
			u.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: canary}}
		},
		"spec.description": func(_ *v1alpha1.UserSecret, f map[string]string) { f["spec.description"] = "it is " + canary },
		"spec.filePath":    func(_ *v1alpha1.UserSecret, f map[string]string) { f["spec.filePath"] = "~/" + canary },
	} {
		t.Run(want, func(t *testing.T) {
			u, fields := &v1alpha1.UserSecret{ObjectMeta: metav1.ObjectMeta{Name: "a"}}, map[string]string{"spec.envName": "A"}
			edit(u, fields)
			r := &Review{}
			r.KeepOut(leak.Of(seal.ValueOf(canary)), Exposed{Object: u, Old: &v1alpha1.UserSecret{}, Fields: fields})
			got := ""
			for _, c := range r.causes {
				got += c.Field
				if strings.Contains(c.Message, canary) {
					t.Errorf("the refusal repeats the value: %s", c.Message)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("refused (-want +got):\n%s", diff)
			}
		})
	}
}
