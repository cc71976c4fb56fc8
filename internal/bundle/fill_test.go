// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/policy/limits"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

// canary is a value that no message may show.
const canary = "canary-5f1d"

// wide leaves room for everything, so that the bundles' own bounds are met.
var (
	wideUser  = limits.User{Secrets: 1 << 20, ValueBytes: 1 << 30, EnvValueBytes: 1 << 30}
	wideAgent = limits.Agent{Secrets: 1 << 20, ValueBytes: 1 << 30, TotalValueBytes: 1 << 30}
)

func opened(values map[string]string) map[types.UID]Opened {
	out := map[types.UID]Opened{}
	for name, v := range values {
		out[types.UID("uid-"+name)] = Opened{Value: seal.ValueOf(v)}
	}
	return out
}

func plain(c FilledContents) map[string]string {
	out := map[string]string{}
	for k, v := range c.Data {
		out[k] = string(v.Reveal())
	}
	return out
}

// reasons returns the reasons by object, and fails where a message shows the canary.
func reasons(t *testing.T, ds []Decision, f Filled) map[string]string {
	t.Helper()
	out := map[string]string{}
	for i, o := range f.Outcomes {
		out[ds[i].Item.Name] = o.Reason
		if strings.Contains(o.Message, canary) {
			t.Errorf("a value shows in the message %q", o.Message)
		}
	}
	return out
}

func TestFillUser(t *testing.T) {
	both := func(name, version string) Item {
		return user(name, version, env(strings.ToUpper(name)), file("~/"+name))
	}
	for name, tt := range map[string]struct {
		items       []Item
		values      map[string]string
		failed      map[string]Outcome
		wantEnv     map[string]string
		wantFiles   map[string]string
		wantPaths   map[string]string
		wantReasons map[string]string
	}{
		"a value lands where it was decided, and its path beside it": {
			items: []Item{both("a", "1"), user("b", "2", env("B"))}, values: map[string]string{"a": canary, "b": "x"},
			wantEnv: map[string]string{"A": canary, "B": "x"}, wantFiles: map[string]string{"a": canary},
			wantPaths:   map[string]string{"a": "~/a"},
			wantReasons: map[string]string{"a": v1alpha1.ReasonProjected, "b": v1alpha1.ReasonProjected},
		},
		"an empty value is a value": {
			items: []Item{both("a", "1")}, values: map[string]string{"a": ""},
			wantEnv: map[string]string{"A": ""}, wantFiles: map[string]string{"a": ""}, wantPaths: map[string]string{"a": "~/a"},
			wantReasons: map[string]string{"a": v1alpha1.ReasonProjected},
		},
		"what was not to be opened stays out": {
			items: []Item{user("a", "1", env("A"), disabled)}, values: map[string]string{"a": canary},
			wantReasons: map[string]string{"a": v1alpha1.ReasonDisabled},
		},
		"a value that could not be had leaves the others alone": {
			items: []Item{both("a", "1"), both("b", "2")}, values: map[string]string{"b": "x"},
			failed:  map[string]Outcome{"a": Unsealable()},
			wantEnv: map[string]string{"B": "x"}, wantFiles: map[string]string{"b": "x"}, wantPaths: map[string]string{"b": "~/b"},
			wantReasons: map[string]string{"a": v1alpha1.ReasonUnsealable, "b": v1alpha1.ReasonProjected},
		},
		"a null byte fits no variable, but a file": {
			items: []Item{both("a", "1"), user("b", "2", env("B"))}, values: map[string]string{"a": canary + "\x00", "b": canary + "\x00"},
			wantFiles: map[string]string{"a": canary + "\x00"}, wantPaths: map[string]string{"a": "~/a"},
			wantReasons: map[string]string{"a": v1alpha1.ReasonNotAVariable, "b": v1alpha1.ReasonNotAVariable},
		},
		"bytes that are no text fit no variable, but a file": {
			items:     []Item{both("a", "1"), user("b", "2", env("B")), user("c", "3", file("~/c"))},
			values:    map[string]string{"a": canary + "\xff", "b": canary + "\xc3", "c": "\xed\xa0\x80"},
			wantFiles: map[string]string{"a": canary + "\xff", "c": "\xed\xa0\x80"}, wantPaths: map[string]string{"a": "~/a", "c": "~/c"},
			wantReasons: map[string]string{"a": v1alpha1.ReasonNotAVariable, "b": v1alpha1.ReasonNotAVariable, "c": v1alpha1.ReasonProjected},
		},
		"a value of 24577 bytes, as a source can have, is too long": {
			items: []Item{both("a", "1")}, values: map[string]string{"a": canary + strings.Repeat("x", 24577-len(canary))},
			wantReasons: map[string]string{"a": v1alpha1.ReasonInvalidValue},
		},
	} {
		t.Run(name, func(t *testing.T) {
			ds := DecideUser(tt.items, wideUser, nil)
			values := opened(tt.values)
			for name, o := range tt.failed {
				values[types.UID("uid-"+name)] = Opened{Failure: &o}
			}
			f, err := FillUser(ds, values)
			if err != nil {
				t.Fatal(err)
			}
			got := []map[string]string{plain(f.Env), plain(f.Files), f.Files.Paths, reasons(t, ds, f)}
			want := []map[string]string{orEmpty(tt.wantEnv), orEmpty(tt.wantFiles), orEmpty(tt.wantPaths), tt.wantReasons}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("env, files, paths, reasons (-want +got):\n%s", diff)
			}
		})
	}
}

func orEmpty(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

func TestAValueOfTheLargestSizeIsProjected(t *testing.T) {
	ds := DecideUser([]Item{user("a", "1", env("A"))}, wideUser, nil)
	f, err := FillUser(ds, opened(map[string]string{"a": strings.Repeat("x", 24576)}))
	if err != nil || f.Outcomes[0].Reason != v1alpha1.ReasonProjected {
		t.Errorf("FillUser = %+v, %v, want it projected", f.Outcomes, err)
	}
}

func TestAFullBundleTakesASecretInBothWaysOrNot(t *testing.T) {
	// Files alone fill the bundle of files; the last would still fit as a variable.
	var items []Item
	values := map[string]string{}
	for i := range 39 {
		name := fmt.Sprintf("f%02d", i)
		items = append(items, user(name, fmt.Sprint(i+1), file("~/"+name)))
		values[name] = strings.Repeat("x", 24576)
	}
	items = append(items, user("last", "90", env("LAST"), file("~/last")), user("small", "91", env("SMALL"), file("~/small")))
	values["last"], values["small"] = canary+strings.Repeat("x", 24576-len(canary)), "x"
	ds := DecideUser(items, wideUser, nil)
	f, err := FillUser(ds, opened(values))
	if err != nil {
		t.Fatal(err)
	}
	got := reasons(t, ds, f)
	if got["last"] != v1alpha1.ReasonLimitExceeded || got["small"] != v1alpha1.ReasonProjected || got["f38"] != v1alpha1.ReasonProjected {
		t.Errorf("reasons %v, want no room for the last and for it alone", got)
	}
	if diff := cmp.Diff(map[string]string{"SMALL": "x"}, plain(f.Env)); diff != "" {
		t.Errorf("variables (-want +got):\n%s", diff)
	}
	total := 0
	for k, v := range f.Files.Data {
		total += entrySize(len(k), v.Len())
	}
	if total != f.Files.size || total > limits.MaxBundleBytes {
		t.Errorf("the files have %d bytes, counted as %d, want at most %d", total, f.Files.size, limits.MaxBundleBytes)
	}
}

func TestAKeyThatIsTakenIsAConflict(t *testing.T) {
	ds := DecideUser([]Item{user("a", "1", env("A"), file("~/a")), user("b", "2", env("B"), file("~/b"))}, wideUser, nil)
	ds[1].Outcome.File = ds[0].Outcome.File
	f, err := FillUser(ds, opened(map[string]string{"a": "x", "b": canary}))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"a": v1alpha1.ReasonProjected, "b": v1alpha1.ReasonConflict}
	if diff := cmp.Diff(want, reasons(t, ds, f)); diff != "" {
		t.Errorf("reasons (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"A": "x"}, plain(f.Env)); diff != "" {
		t.Errorf("the loser's variable is there (-want +got):\n%s", diff)
	}
}

func TestFillAgent(t *testing.T) {
	const list = `{"type":"List","inner":{"type":"U8"}}`
	for name, tt := range map[string]struct {
		items       []Item
		values      map[string]string
		wantEnv     map[string]string
		wantFiles   map[string]string
		wantReasons map[string]string
	}{
		"a tenant without values has no typed document": {wantReasons: map[string]string{}},
		"strings land raw, everything else as JSON, and the document has all": {
			items:   []Item{agent("db.password", "1"), agent("ports", "2", typed(list))},
			values:  map[string]string{"db.password": `"` + canary + `"`, "ports": `[1,2]`},
			wantEnv: map[string]string{"DB_PASSWORD": canary, "PORTS": "[1,2]"},
			wantFiles: map[string]string{
				"db.password": canary, "ports": "[1,2]",
				TreeKey: `{"db":{"password":"` + canary + `"},"ports":[1,2]}`,
			},
			wantReasons: map[string]string{"db.password": v1alpha1.ReasonProjected, "ports": v1alpha1.ReasonProjected},
		},
		"a value of another type stays out": {
			items:       []Item{agent("a", "1", typed(list))},
			values:      map[string]string{"a": `"` + canary + `"`},
			wantReasons: map[string]string{"a": v1alpha1.ReasonTypeMismatch},
		},
		"a string with a null byte is no variable, but a file": {
			items:  []Item{agent("a", "1")},
			values: map[string]string{"a": `"x\u0000"`},
			wantFiles: map[string]string{
				"a": "x\x00", TreeKey: `{"a":"x\u0000"}`,
			},
			wantReasons: map[string]string{"a": v1alpha1.ReasonNotAVariable},
		},
		"a secret whose file would be the document's has another key": {
			items:   []Item{agent("secrets.json", "1")},
			values:  map[string]string{"secrets.json": `"x"`},
			wantEnv: map[string]string{"SECRETS_JSON": "x"},
			wantFiles: map[string]string{
				AgentFileKey("secrets/json"): "x", TreeKey: `{"secrets":{"json":"x"}}`,
			},
			wantReasons: map[string]string{"secrets.json": v1alpha1.ReasonProjected},
		},
	} {
		t.Run(name, func(t *testing.T) {
			ds := DecideAgent(tt.items, wideAgent, nil)
			f, err := FillAgent(ds, opened(tt.values))
			if err != nil {
				t.Fatal(err)
			}
			got := []map[string]string{plain(f.Env), plain(f.Files), reasons(t, ds, f)}
			if diff := cmp.Diff([]map[string]string{orEmpty(tt.wantEnv), orEmpty(tt.wantFiles), tt.wantReasons}, got); diff != "" {
				t.Errorf("env, files, reasons (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAFailureOfAnAgentSecretIsItsOutcome(t *testing.T) {
	ds := DecideAgent([]Item{agent("a", "1")}, wideAgent, nil)
	want := KeyNotFound("0123456789abcdef")
	f, err := FillAgent(ds, map[types.UID]Opened{"uid-a": {Failure: &want}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Outcome{want}, f.Outcomes); diff != "" || len(f.Files.Data) > 0 {
		t.Errorf("%d files, outcomes (-want +got):\n%s", len(f.Files.Data), diff)
	}
}

func TestTheAgentFilesWithTheirDocumentFitASecret(t *testing.T) {
	var items []Item
	values := map[string]string{}
	for i := range 40 {
		path := fmt.Sprintf("a%02d.b.c", i)
		items = append(items, agent(path, fmt.Sprint(i+1)))
		values[path] = `"` + strings.Repeat("x", 30000) + `"`
	}
	ds := DecideAgent(items, wideAgent, nil)
	f, err := FillAgent(ds, opened(values))
	if err != nil {
		t.Fatal(err)
	}
	total, refused := 0, 0
	for k, v := range f.Files.Data {
		total += len(k) + v.Len()
	}
	for _, reason := range reasons(t, ds, f) {
		if reason == v1alpha1.ReasonLimitExceeded {
			refused++
		}
	}
	if total > limits.MaxBundleBytes || total < limits.MaxBundleBytes*9/10 || refused == 0 {
		t.Errorf("%d bytes with %d secrets refused, want nearly %d with some refused", total, refused, limits.MaxBundleBytes)
	}
}

// TestAVariableThatCannotBe_SaysSo tells a variable that was asked for from one that is
// made from a path.
func TestAVariableThatCannotBe_SaysSo(t *testing.T) {
	asked := func(s *v1alpha1.AgentSecretSpec) { s.EnvName = "ASKED" }
	users := DecideUser([]Item{user("a", "1", env("A"), file("~/a")), user("b", "2", env("B")), user("c", "3", env("C"), file("~/c/"))}, wideUser, nil)
	agents := DecideAgent([]Item{agent("a", "1"), agent("b", "2", asked)}, wideAgent, nil)
	forUsers, err := FillUser(users, opened(map[string]string{"a": "\xff", "b": "x\x00", "c": "\xff"}))
	if err != nil {
		t.Fatal(err)
	}
	forAgents, err := FillAgent(agents, opened(map[string]string{"a": `"x\u0000"`, "b": `"x\u0000"`}))
	if err != nil {
		t.Fatal(err)
	}
	const noText, noNUL = "the value is not UTF-8 text, as an environment variable has to be", "the value contains a NUL byte, which no environment variable can hold"
	agentFile := func(key string) *v1alpha1.Landing {
		return &v1alpha1.Landing{SecretName: v1alpha1.BundleAgentFiles, Key: key}
	}
	want := []Outcome{
		{Reason: "NotAVariable", Message: "projected as file a of Secret latchkey-user-files; no variable: " + noText, File: userFile("a")},
		{Reason: "NotAVariable", Message: "no variable: " + noNUL + ": set filePath to have it as a file"},
		{Reason: "NotAVariable", Message: "file path is not projected: path names a directory; no variable: " + noText + ": set filePath to have it as a file"},
		{Ready: true, Reason: "NotAVariable", Message: "projected as file a of Secret latchkey-agent-files; no variable: " + noNUL, File: agentFile("a")},
		{Reason: "NotAVariable", Message: "projected as file b of Secret latchkey-agent-files; no variable: " + noNUL, File: agentFile("b")},
	}
	if diff := cmp.Diff(want, append(forUsers.Outcomes, forAgents.Outcomes...)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

// TestVariableProblem_Length_IsTheKernels holds for names and values together.
func TestVariableProblem_Length_IsTheKernels(t *testing.T) {
	fits := make([]byte, 128<<10-len("NAME=")-1)
	for i := range fits {
		fits[i] = 'x'
	}
	if problem := variableProblem("NAME", Shape{Raw: len(fits)}); problem != "" {
		t.Errorf("%d bytes: %s", len(fits), problem)
	}
	if problem := variableProblem("NAME", Shape{Raw: len(fits) + 1}); !strings.Contains(problem, "131072 bytes") {
		t.Errorf("one byte more: %q, want it refused", problem)
	}
}
