// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// was and becomes are texts in the place of sealed values.
const (
	was     = "lk1.0b8191d581ecb581.ZS3yPUcGKUSGNs_31DZ5-pdx"
	becomes = "lk1.fbbb352c797b60cc.j8Sbrph9ZllrWQjJUfhMAVADdhHTfloB"
)

const head = "apiVersion: latchkey.dev/v1alpha1\nkind: UserSecret\nmetadata: {name: a, namespace: alice}\n"

// resealable are files in which every was is to become another, and nothing else.
var resealable = map[string]string{
	"a plain scalar":                             head + "spec:\n  envName: A\n  sealedValue: " + was + "\n",
	"without a line's end":                       head + "spec:\n  sealedValue: " + was,
	"comments, blank lines and trailing blanks":  "# top\n\n" + head + "spec: # of it\n\n  # the value\n  sealedValue:   " + was + "   # old\n\n  description: 'x'  \n\n# end\n",
	"lines that end with CR LF":                  strings.ReplaceAll("# é\n"+head+"spec:\n  sealedValue: "+was+"\n  description: |\n    a\n    b\n", "\n", "\r\n"),
	"a byte order mark":                          "\ufeff" + head + "spec: {sealedValue: " + was + "}\n",
	"double quotes":                              head + "spec:\n  sealedValue: \"" + was + "\"\n",
	"single quotes":                              head + "spec:\n  \"sealedValue\" : '" + was + "' # x\n",
	"a flow map":                                 head + "spec: {description: \"ü, }\", sealedValue: " + was + ", envName: A}\n",
	"a flow map of several lines":                head + "spec: {\n  description: 'ü',\n  sealedValue:\n    " + was + ", # x\n}\n",
	"not ASCII before it on its line":            "{apiVersion: latchkey.dev/v1alpha1, kind: UserSecret, metadata: {name: a, annotations: {ключ: 日本語 🔑}}, spec: {sealedValue: " + was + "}}\n",
	"a folded block":                             head + "spec:\n  sealedValue: >-\n    " + was + "\n  envName: A\n",
	"a literal block at the end":                 head + "spec:\n  envName: A\n  sealedValue: |- # x\n      " + was + "\n",
	"an anchor that nobody uses":                 head + "spec:\n  sealedValue: &x " + was + "\n",
	"a tag":                                      head + "spec:\n  sealedValue: !!str " + was + "\n",
	"a tag and an anchor on a line of their own": head + "spec:\n  sealedValue: !!str &x # y\n    " + was + "\n",
	"tabs between words":                         head + "spec:\n  sealedValue:\t" + was + "\t# x\n",
	"several documents": "# first\n---\n" + head + "spec: {sealedValue: " + was + "}\n--- # second\nkind: ConfigMap\ndata: {a: \"UserSecret\"}\n---\n" +
		head + "spec:\n  sealedValue: " + was + "\n...\n",
	"a document after one that is no YAML": "{{ if .UserSecret }}\nx: [\n---\n" + head + "spec:\n  sealedValue: " + was + "\n",
	"a List": "apiVersion: v1\nkind: List\nitems:\n- " + strings.ReplaceAll(strings.TrimSpace(head), "\n", "\n  ") + "\n  spec:\n    sealedValue: " + was + "\n" +
		"- kind: ConfigMap\n- {apiVersion: latchkey.dev/v1alpha1, kind: AgentSecret, metadata: {name: b}, spec: {path: [b], sealedValue: " + was + "}}\n",
	"JSON":                        "{\n\t\"apiVersion\": \"latchkey.dev/v1alpha1\",\n\t\"kind\": \"UserSecret\",\n\t\"metadata\": {\"name\": \"ä\"},\n\t\"spec\": {\"sealedValue\":\"" + was + "\", \"description\": \"\\u00e4 \\ud83d\\udd11 \\/ \\\"\"}\n}\n",
	"JSON on one line":            `{"apiVersion":"latchkey.dev/v1alpha1","kind":"AgentSecret","metadata":{"name":"a"},"spec":{"path":["日本"],"secretType":{"type":"Str"},"sealedValue":"` + was + `"}}`,
	"a template beside the value": head + "  # {{ not ours }}\nspec:\n  description: \"{{ .Values.d }}\"\n  sealedValue: " + was + "\n",
	"the same text elsewhere":     "# " + strings.ToUpper(was) + "\n" + head + "spec:\n  sealedValue: " + was + "\n",
}

func TestReseal_AFile_ChangesTheBytesOfTheScalarAlone(t *testing.T) {
	for name, file := range resealable {
		t.Run(name, func(t *testing.T) {
			objects, _ := Read([]byte(file))
			var edits []Edit
			for _, o := range objects {
				if o.SealedValue != was {
					t.Fatalf("its sealedValue is read as %q", o.SealedValue)
				}
				edit, err := o.Reseal(becomes)
				if err != nil {
					t.Fatal(err)
				}
				edits = append(edits, edit)
			}
			if len(edits) == 0 {
				t.Fatal("no object is found")
			}
			want := strings.ReplaceAll(file, was, becomes)
			if diff := cmp.Diff(want, string(Apply([]byte(file), edits))); diff != "" {
				t.Errorf("file (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReseal_WhatCannotBeDone_SaysWhy(t *testing.T) {
	for name, tt := range map[string]struct{ file, want string }{
		"an alias":                     {"a: &x " + was + "\n" + head + "spec: {sealedValue: *x}\n", "spec.sealedValue is an alias: change it where its anchor is, by hand"},
		"an anchor that is used":       {head + "spec: {sealedValue: &x " + was + ", description: *x}\n", "spec.sealedValue has an anchor that is used elsewhere: change it by hand"},
		"a spec by alias":              {"a: &x {sealedValue: " + was + "}\n" + head + "spec: *x\n", "spec is an alias: change it where its anchor is, by hand"},
		"a merge":                      {"a: &x {sealedValue: " + was + "}\n" + head + "spec: {<<: *x}\n", "spec.sealedValue comes from elsewhere, by an alias or a merge: change it there, by hand"},
		"a block that says its indent": {head + "spec:\n  sealedValue: |2-\n    " + was + "\n", "its place in the text cannot be found: change it by hand"},
	} {
		t.Run(name, func(t *testing.T) {
			objects, skipped := Read([]byte(tt.file))
			if len(objects) != 1 || len(skipped) > 0 {
				t.Fatalf("%d objects, skipped %v", len(objects), skipped)
			}
			if _, err := objects[0].Reseal(becomes); err == nil || err.Error() != tt.want {
				t.Errorf("Reseal: %v, want %q", err, tt.want)
			}
		})
	}
}

func TestRead_WhatItCannotRead_IsSkippedWithAReason(t *testing.T) {
	for name, tt := range map[string]struct {
		file string
		want []Skipped
	}{
		"a template":           {"a: b\n---\nkind: UserSecret\n{{- range . }}\nspec: {{ .x }}\n", []Skipped{{2, "it is a template"}}},
		"a template of others": {"kind: ConfigMap\n{{- range . }}\n", nil},
		"no YAML":              {"kind: UserSecret\n  x: [\n", []Skipped{{1, "it is not valid YAML"}}},
		"no UTF-8":             {"apiVersion: latchkey.dev/v1alpha1 \xff\n", []Skipped{{1, "the file is not UTF-8 text"}}},
		"no UTF-8, of others":  {"\xff\xfe", nil},
		"an odd end of a line": {"kind: UserSecret # \u2028\n", []Skipped{{1, "it has a character (U+0085, U+2028 or U+2029) that YAML takes for the end of a line"}}},
		"another group":        {strings.ReplaceAll(head, "latchkey.dev", "example.com"), nil},
		"nothing":              {"", nil},
	} {
		t.Run(name, func(t *testing.T) {
			objects, skipped := Read([]byte(tt.file))
			if diff := cmp.Diff(tt.want, skipped); diff != "" || len(objects) > 0 {
				t.Errorf("%d objects, skipped (-want +got):\n%s", len(objects), diff)
			}
		})
	}
}

func TestRead_Objects_AreWhatKubectlWouldSend(t *testing.T) {
	objects, _ := Read([]byte("# x\n" + head + "spec: {value: 012, envName: A}\n---\n\napiVersion: latchkey.dev/v1alpha1\nkind: AgentSecret\nmetadata:\n  name: b\nspec: {sealedValue: x}\n"))
	type found struct {
		Kind, Namespace, Name, Sealed string
		Line                          int
		Value                         bool
	}
	var got []found
	for _, o := range objects {
		got = append(got, found{o.Kind, o.Namespace, o.Name, o.SealedValue, o.Line, o.HasValue})
	}
	want := []found{{KindUser, "alice", "a", "", 2, true}, {KindAgent, "", "b", "x", 8, false}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
	var object struct {
		Spec map[string]any `json:"spec"`
	}
	if err := json.Unmarshal(objects[0].JSON, &object); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]any{"value": 10.0, "envName": "A"}, object.Spec); diff != "" {
		t.Errorf("spec (-want +got):\n%s", diff)
	}
}

func TestSeal_AValueOfAnyForm_BecomesASealedValue(t *testing.T) {
	for name, tt := range map[string]struct{ file, want string }{
		"a plain scalar":              {"spec:\n  envName: A\n  value: s3cret # mine\n  description: d\n", "spec:\n  envName: A\n  sealedValue: NEW # mine\n  description: d\n"},
		"quotes":                      {"spec:\n  value: \"a\\\"b\"\n", "spec:\n  sealedValue: NEW\n"},
		"single quotes":               {"spec:\n  value: 'a''b'\n", "spec:\n  sealedValue: NEW\n"},
		"a scalar of several lines":   {"spec:\n  value: a\n    b\n    c\n  envName: A\n", "spec:\n  sealedValue: NEW\n  envName: A\n"},
		"a block":                     {"spec:\n  value: |\n    -----BEGIN KEY-----\n    a\n\n    -----END KEY-----\n\n  # about the variable\n  envName: A\n", "spec:\n  sealedValue: NEW\n\n  # about the variable\n  envName: A\n"},
		"a block at the end":          {"spec:\n  value: |-\n    a\n    b\n", "spec:\n  sealedValue: NEW\n"},
		"a map":                       {"spec:\n  value:\n    host: x\n    ports: [1, 2]\n  path: [b]\n", "spec:\n  sealedValue: NEW\n  path: [b]\n"},
		"a list":                      {"spec:\n  value:\n  - a\n  - b: c\n  path: [b]\n", "spec:\n  sealedValue: NEW\n  path: [b]\n"},
		"a flow map":                  {"spec: {value: {host: x, \"p\": [1, {}]}, path: [b]}\n", "spec: {sealedValue: NEW, path: [b]}\n"},
		"a flow map of several lines": {"spec:\n  value: {\n    host: x, # y\n    port: 1,\n  }\n  path: [b]\n", "spec:\n  sealedValue: NEW\n  path: [b]\n"},
		"JSON":                        {"spec: {\"value\":{\"host\":\"x\"},\"path\":[\"b\"]}\n", "spec: {\"sealedValue\": \"NEW\",\"path\":[\"b\"]}\n"},
		"JSON with a space":           {"spec: {\"value\" : \"x\"}\n", "spec: {\"sealedValue\" : \"NEW\"}\n"},
		"lines that end with CR LF":   {"spec:\r\n  value: |\r\n    a\r\n    b\r\n  envName: A\r\n", "spec:\r\n  sealedValue: NEW\r\n  envName: A\r\n"},
		"a number":                    {"spec:\n  value: 1.50\n", "spec:\n  sealedValue: NEW\n"},
		"not ASCII":                   {"spec: {description: 日本語, value: пароль, envName: A}\n", "spec: {description: 日本語, sealedValue: NEW, envName: A}\n"},
	} {
		t.Run(name, func(t *testing.T) {
			file := head + tt.file
			objects, skipped := Read([]byte(file))
			if len(objects) != 1 || !objects[0].HasValue {
				t.Fatalf("%d objects, skipped %v", len(objects), skipped)
			}
			edit, err := objects[0].Seal(becomes)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(head+strings.ReplaceAll(tt.want, "NEW", becomes), string(Apply([]byte(file), []Edit{edit}))); diff != "" {
				t.Errorf("file (-want +got):\n%s", diff)
			}
		})
	}
}

// Whatever a file is, what is changed is the value alone, and nothing panics.
func FuzzEdit(f *testing.F) {
	for _, file := range resealable {
		f.Add(file)
		f.Add(strings.ReplaceAll(file, "sealedValue", "value"))
	}
	f.Fuzz(func(t *testing.T, file string) {
		objects, _ := Read([]byte(file))
		for i, o := range objects {
			for _, change := range []func(string) (Edit, error){o.Reseal, o.Seal} {
				edit, err := change(becomes)
				if err != nil {
					continue
				}
				again, _ := Read(Apply([]byte(file), []Edit{edit}))
				if len(again) != len(objects) {
					t.Fatalf("%d objects became %d", len(objects), len(again))
				}
				if again[i].SealedValue != becomes {
					t.Fatalf("the object has %q", again[i].SealedValue)
				}
				for j := range again {
					if j != i && string(again[j].JSON) != string(objects[j].JSON) {
						t.Fatalf("another object changed: %s became %s", objects[j].JSON, again[j].JSON)
					}
				}
			}
		}
	})
}
