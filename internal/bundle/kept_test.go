// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

// keptAs returns what the bundles hold of an object whose key is lost.
func keptAs(value string) Opened {
	o := KeyNotFound("0123456789abcdef")
	return Opened{Value: seal.ValueOf(value), Failure: &o, Kept: true}
}

// TestAKeptValue lays values out, and then what of them is in the bundles.
func TestAKeptValue(t *testing.T) {
	const list = `{"type":"List","inner":{"type":"Str"}}`
	agents := map[string]struct {
		item   Item
		stored string
	}{
		"a text":                          {agent("db.password", "1"), `"` + canary + `\n\"\\ü"`},
		"an empty text":                   {agent("db.password", "1"), `""`},
		"a text that looks like JSON":     {agent("db.password", "1"), `"[1,2]"`},
		"a text that fits no variable":    {agent("db.password", "1"), `"x\u0000"`},
		"a number":                        {agent("db.password", "1", typed(`{"type":"F64"}`)), `1.5`},
		"a list":                          {agent("db.password", "1", typed(list)), `["` + canary + `"]`},
		"a text that is an option":        {agent("db.password", "1", typed(`{"type":"Option","inner":{"type":"Str"}}`)), `"x"`},
		"a text of an option, and absent": {agent("db.password", "1", typed(`{"type":"Option","inner":{"type":"Str"}}`)), `null`},
	}
	for name, tt := range agents {
		t.Run(name+" of an agent is laid out as before", func(t *testing.T) {
			ds := DecideAgent([]Item{tt.item, agent("other", "2")}, wideAgent, nil)
			values := opened(map[string]string{"db.password": tt.stored, "other": `"x"`})
			before, err := FillAgent(ds, values)
			if err != nil {
				t.Fatal(err)
			}
			raw := before.Files.Data[ds[0].Outcome.File.Key]
			values["uid-db.password"] = keptAs(string(raw.Reveal()))
			after, err := FillAgent(ds, values)
			if err != nil {
				t.Fatal(err)
			}
			isKept(t, before, after)
		})
	}
	t.Run("a user's value is laid out as before", func(t *testing.T) {
		ds := DecideUser([]Item{user("a", "1", env("A"), file("~/a")), user("b", "2", env("B"))}, wideUser, nil)
		values := opened(map[string]string{"a": canary, "b": "x"})
		before, err := FillUser(ds, values)
		if err != nil {
			t.Fatal(err)
		}
		values["uid-a"] = keptAs(canary)
		after, err := FillUser(ds, values)
		if err != nil {
			t.Fatal(err)
		}
		isKept(t, before, after)
	})
}

// isKept holds that the same is in the bundles, and that the first object alone has
// another outcome, which says so.
func isKept(t *testing.T, before, after Filled) {
	t.Helper()
	was := []map[string]string{plain(before.Env), plain(before.Files), before.Files.Paths}
	is := []map[string]string{plain(after.Env), plain(after.Files), after.Files.Paths}
	if diff := cmp.Diff(was, is); diff != "" {
		t.Errorf("env, files, paths (-before +after):\n%s", diff)
	}
	want := KeyNotFound("0123456789abcdef")
	want.Message += "; the value that the bundle has stays in it"
	want.Env, want.File = before.Outcomes[0].Env, before.Outcomes[0].File
	if diff := cmp.Diff([]Outcome{want, before.Outcomes[1]}, after.Outcomes); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

// TestAKeptValueIsCheckedLikeAnyOther: who can write Secrets can write bundles.
func TestAKeptValueIsCheckedLikeAnyOther(t *testing.T) {
	ds := DecideAgent([]Item{agent("a", "1", typed(`{"type":"U8"}`)), agent("b", "2")}, wideAgent, nil)
	f, err := FillAgent(ds, map[types.UID]Opened{"uid-a": keptAs(canary), "uid-b": keptAs("\xff")})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"a": v1alpha1.ReasonTypeMismatch, "b": v1alpha1.ReasonTypeMismatch}
	if diff := cmp.Diff(want, reasons(t, ds, f)); diff != "" || len(f.Files.Data)+len(f.Env.Data) > 0 {
		t.Errorf("%v and %v, reasons (-want +got):\n%s", f.Env, f.Files, diff)
	}
}
