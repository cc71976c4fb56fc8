// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/policy/limits"
)

// verdict is what a test wants of a Decision.
type verdict struct {
	Name    string
	Open    bool
	Outcome Outcome
}

func verdicts(ds []Decision) []verdict {
	var out []verdict
	for _, d := range ds {
		out = append(out, verdict{Name: d.Item.Name, Open: d.Open, Outcome: d.Outcome})
	}
	return out
}

func userEnv(key string) *v1alpha1.Landing {
	return &v1alpha1.Landing{SecretName: v1alpha1.BundleUserEnv, Key: key}
}

func userFile(key string) *v1alpha1.Landing {
	return &v1alpha1.Landing{SecretName: v1alpha1.BundleUserFiles, Key: key}
}

// isEnv is the verdict on a user secret that lands as a variable alone.
func isEnv(name, variable string) verdict {
	return verdict{name, true, Outcome{
		Ready: true, Reason: v1alpha1.ReasonProjected, Env: userEnv(variable),
		Message: "projected as variable " + variable + " of Secret latchkey-user-env",
	}}
}

func isRefused(name, reason, message string) verdict {
	return verdict{name, false, Outcome{Reason: reason, Message: message}}
}

// isStored is the verdict on secret a where it is ready and not projected.
func isStored(reason, message string) verdict {
	return verdict{"a", false, Outcome{Ready: true, Reason: reason, Message: message}}
}

func TestDecideUser(t *testing.T) {
	longest, tooLong := strings.Repeat("A", 253), strings.Repeat("A", 254)
	for name, tt := range map[string]struct {
		items  []Item
		limits limits.User
		want   []verdict
	}{
		"a tenant without secrets has no decisions": {},
		"a secret with a variable and a file lands as both": {
			items: []Item{user("a", "1", env("A"), file("~/.a"))},
			want: []verdict{{"a", true, Outcome{
				Ready: true, Reason: v1alpha1.ReasonProjected, Env: userEnv("A"), File: userFile("a"),
				Message: "projected as variable A of Secret latchkey-user-env and file a of Secret latchkey-user-files",
			}}},
		},
		"a secret without a target is stored": {
			items: []Item{user("a", "1")},
			want:  []verdict{isStored(v1alpha1.ReasonStoredWithoutTarget, "stored, and not projected since it names neither a variable nor a file")},
		},
		"a secret without a value waits for one": {
			items: []Item{user("a", "1", env("A"), withoutValue)},
			want:  []verdict{isStored(v1alpha1.ReasonNoValue, "stored without a value yet")},
		},
		"a secret whose value comes from elsewhere is opened": {
			items: []Item{user("a", "1", env("A"), from("s", "k"))},
			want:  []verdict{isEnv("a", "A")},
		},
		"the earlier of two has the variable, in whichever order they are read": {
			items: []Item{user("b", "10", env("A")), user("a", "9", env("A"))},
			want: []verdict{
				isEnv("a", "A"),
				isRefused("b", v1alpha1.ReasonConflict, `environment variable "A" is held by a: choose another, or delete one of the two`),
			},
		},
		"a disabled secret keeps what it claims": {
			items: []Item{user("a", "1", env("A"), disabled), user("b", "2", env("A"))},
			want: []verdict{
				isStored(v1alpha1.ReasonDisabled, "stored, and not projected since enabled is false"),
				isRefused("b", v1alpha1.ReasonConflict, `environment variable "A" is held by a: choose another, or delete one of the two`),
			},
		},
		"every lost claim is named, and one lost claim loses all": {
			items: []Item{user("a", "1", env("A")), user("b", "2", file("/srv/f")), user("c", "3", env("A"), file("/srv/f"))},
			want: []verdict{
				isEnv("a", "A"),
				{"b", true, Outcome{
					Ready: true, Reason: v1alpha1.ReasonProjected, File: userFile("b"),
					Message: "projected as file b of Secret latchkey-user-files",
				}},
				isRefused("c", v1alpha1.ReasonConflict,
					`environment variable "A" is held by a; file path "/srv/f" is held by b: choose another, or delete one of the two`),
			},
		},
		"a file below another file is not projected, but its variable is": {
			items: []Item{user("a", "1", file("/srv/f")), user("b", "2", env("B"), file("/srv/f/g"))},
			want: []verdict{
				{"a", true, Outcome{
					Ready: true, Reason: v1alpha1.ReasonProjected, File: userFile("a"),
					Message: "projected as file a of Secret latchkey-user-files",
				}},
				{"b", true, Outcome{
					Reason: v1alpha1.ReasonPathNotProjectable, Env: userEnv("B"),
					Message: "projected as variable B of Secret latchkey-user-env; file path is not projected: it cannot be a file beside /srv/f of a",
				}},
			},
		},
		"a path that no file can have is nothing to open a value for": {
			items: []Item{user("a", "1", file("/etc"))},
			want: []verdict{isRefused("a", v1alpha1.ReasonPathNotProjectable,
				"file path is not projected: path names a directory")},
		},
		"what makes programs run code is in no bundle, and another target is": {
			items: []Item{
				user("a", "1", env("PYTHONPATH"), file("~/a")), user("b", "2", env("B"), file("/etc/ld.so.preload")),
				user("c", "3", env("NODE_OPTIONS"), file("/usr/lib/x")), user("d", "4", env("ES_JAVA_OPTS"), file("/etc")),
			},
			want: []verdict{
				{"a", true, Outcome{
					Reason: v1alpha1.ReasonTargetRefused, File: userFile("a"),
					Message: "projected as file a of Secret latchkey-user-files; variable is not projected: PYTHONPATH is a variable that loaders, shells, interpreters or tools depend on: set another envName",
				}},
				{"b", true, Outcome{
					Reason: v1alpha1.ReasonTargetRefused, Env: userEnv("B"),
					Message: "projected as variable B of Secret latchkey-user-env; file path is not projected: it lies outside of the directories for files: choose another path, such as one below ~/ or /run",
				}},
				isRefused("c", v1alpha1.ReasonTargetRefused, "variable is not projected: NODE_OPTIONS is a variable that loaders, shells, interpreters or tools depend on: set another envName; "+
					"file path is not projected: it lies outside of the directories for files: choose another path, such as one below ~/ or /run"),
				isRefused("d", v1alpha1.ReasonTargetRefused, "variable is not projected: ES_JAVA_OPTS is a variable that loaders, shells, interpreters or tools depend on: set another envName; "+
					"file path is not projected: path names a directory"),
			},
		},
		"a path that is refused is in no other's way": {
			items: []Item{user("a", "1", file("~/bin")), user("b", "2", file("~/.config/gh/token")), user("c", "3", file("/srv/x.py")), user("d", "4", file("/srv/x.py/d"))},
			want: []verdict{
				isRefused("a", v1alpha1.ReasonTargetRefused, "file path is not projected: bin is read by shells, interpreters or tools before a program's own code: choose another path, such as one below ~/ or /run"),
				{"b", true, Outcome{Ready: true, Reason: v1alpha1.ReasonProjected, File: userFile("b"), Message: "projected as file b of Secret latchkey-user-files"}},
				isRefused("c", v1alpha1.ReasonTargetRefused, "file path is not projected: it has the name of a file of code: choose another path, such as one below ~/ or /run"),
				{"d", true, Outcome{Ready: true, Reason: v1alpha1.ReasonProjected, File: userFile("d"), Message: "projected as file d of Secret latchkey-user-files"}},
			},
		},
		"one place by two names is the earlier claim's": {
			items: []Item{user("a", "1", file("/run/tool")), user("b", "2", file("/var/run/tool")), user("c", "3", file("/var/run/tool/x"))},
			want: []verdict{
				{"a", true, Outcome{Ready: true, Reason: v1alpha1.ReasonProjected, File: userFile("a"), Message: "projected as file a of Secret latchkey-user-files"}},
				isRefused("b", v1alpha1.ReasonPathNotProjectable, "file path is not projected: it cannot be a file beside /run/tool of a"),
				isRefused("c", v1alpha1.ReasonPathNotProjectable, "file path is not projected: it cannot be a file beside /run/tool of a"),
			},
		},
		"a variable as long as a key of a Secret is projected": {
			items: []Item{user("a", "1", env(longest))},
			want:  []verdict{isEnv("a", longest)},
		},
		"a longer variable would spoil the bundle and is not, but its file is": {
			items: []Item{user("a", "1", env(tooLong), file("~/a"))},
			want: []verdict{{"a", true, Outcome{
				Reason: v1alpha1.ReasonPathNotProjectable, File: userFile("a"),
				Message: "projected as file a of Secret latchkey-user-files; variable is not projected: its name has 254 bytes, and a key of a Secret at most 253: set a shorter envName",
			}}},
		},
		"above the count the later secret has no room": {
			items:  []Item{user("b", "2", env("B")), user("a", "1", env("A"))},
			limits: limits.User{Secrets: 1, ValueBytes: 100, EnvValueBytes: 100},
			want: []verdict{
				isEnv("a", "A"),
				isRefused("b", v1alpha1.ReasonLimitExceeded, "2 secrets exceed the tenant's limit of 1: delete 1"),
			},
		},
		"a secret that has no room takes none from a later, smaller one": {
			items:  []Item{user("a", "1", env("A")), user("b", "2", env("B"), size(91)), user("c", "3", env("C"), size(90))},
			limits: limits.User{Secrets: 9, ValueBytes: 100, EnvValueBytes: 100},
			want: []verdict{
				isEnv("a", "A"),
				isRefused("b", v1alpha1.ReasonLimitExceeded, "101 bytes of values exceed the tenant's limit of 100: free 1 by shortening or deleting some"),
				isEnv("c", "C"),
			},
		},
		"only values with a variable count as such": {
			items:  []Item{user("a", "1", size(100)), user("b", "2", env("B")), user("c", "3", env("C"))},
			limits: limits.User{Secrets: 9, ValueBytes: 200, EnvValueBytes: 10},
			want: []verdict{
				isStored(v1alpha1.ReasonStoredWithoutTarget, "stored, and not projected since it names neither a variable nor a file"),
				isEnv("b", "B"),
				isRefused("c", v1alpha1.ReasonLimitExceeded,
					"20 bytes of values in environment variables exceed the tenant's limit of 10: shorten them by 10, or project some as files"),
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := tt.limits
			if l == (limits.User{}) {
				l = limits.DefaultUser()
			}
			for range 2 { // in either order of input
				before := slices.Clone(tt.items)
				if diff := cmp.Diff(tt.want, verdicts(DecideUser(tt.items, l, nil))); diff != "" {
					t.Errorf("DecideUser (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(before, tt.items); diff != "" {
					t.Errorf("DecideUser changed its input (-before +after):\n%s", diff)
				}
				slices.Reverse(tt.items)
			}
		})
	}
}

func agentLanding(variable, key string) Outcome {
	o := Outcome{
		Ready: true, Reason: v1alpha1.ReasonProjected,
		File: &v1alpha1.Landing{SecretName: v1alpha1.BundleAgentFiles, Key: key},
	}
	o.Message = "projected as file " + key + " of Secret latchkey-agent-files"
	if variable != "" {
		o.Env = &v1alpha1.Landing{SecretName: v1alpha1.BundleAgentEnv, Key: variable}
		o.Message = "projected as variable " + variable + " of Secret latchkey-agent-env and file " + key + " of Secret latchkey-agent-files"
	}
	return o
}

func TestDecideAgent(t *testing.T) {
	segment := strings.Repeat("a", 128)
	fileAlone := func(key string) Outcome {
		o := agentLanding("", key)
		o.Message += noVariable
		return o
	}
	refusedVariable := func(key, name string) Outcome {
		o := agentLanding("", key)
		o.Ready, o.Reason = false, v1alpha1.ReasonTargetRefused
		o.Message += "; variable is not projected: " + name + " is a variable that loaders, shells, interpreters or tools depend on: set another envName"
		return o
	}
	deep := agentLanding("", AgentFileKey(segment+"/"+segment))
	deep.Ready, deep.Reason = false, v1alpha1.ReasonPathNotProjectable
	deep.Message += "; variable is not projected: its name has 257 bytes, and a key of a Secret at most 253: set a shorter envName"
	for name, tt := range map[string]struct {
		items  []Item
		limits limits.Agent
		want   []verdict
	}{
		"a secret lands as the variable and the file of its path": {
			items: []Item{agent("db.apiKey", "1")},
			want:  []verdict{{"db.apiKey", true, agentLanding("DB_API_KEY", "db.apiKey")}},
		},
		"a path that makes no variable is a file alone": {
			items: []Item{agent("2fa", "1")},
			want:  []verdict{{"2fa", true, fileAlone("2fa")}},
		},
		"a path that would make a variable of the system is a file alone": {
			items: []Item{agent("path", "1"), agent("ld.preload", "2"), agent("lcAll", "3"), agent("git.token", "4")},
			want: []verdict{
				{"path", true, fileAlone("path")}, {"ld.preload", true, fileAlone("ld.preload")}, {"lcAll", true, fileAlone("lcAll")},
				{"git.token", true, agentLanding("GIT_TOKEN", "git.token")},
			},
		},
		"who asks for a variable that makes programs run code gets the file alone": {
			items: []Item{
				agent("searchPath", "1", func(s *v1alpha1.AgentSecretSpec) { s.EnvName = "PATH" }),
				agent("o", "2", func(s *v1alpha1.AgentSecretSpec) { s.EnvName = "node_options" }),
				agent("node.options", "3"), // a path asks for nothing
			},
			want: []verdict{
				{"searchPath", true, refusedVariable("searchPath", "PATH")}, {"o", true, refusedVariable("o", "NODE_OPTIONS")},
				{"node.options", true, fileAlone("node.options")},
			},
		},
		"a path that makes too long a variable is a file alone, and says so": {
			items: []Item{agent(segment+"."+segment, "1")},
			want:  []verdict{{segment + "." + segment, true, deep}},
		},
		"a secret without a value waits for one": {
			items: []Item{agent("a", "1", func(s *v1alpha1.AgentSecretSpec) { s.SealedValue = "" })},
			want:  []verdict{isStored(v1alpha1.ReasonNoValue, "stored without a value yet")},
		},
		"a path that was stored without admission cannot be used": {
			items: []Item{agent("db_password", "1")},
			want: []verdict{isRefused("db_password", v1alpha1.ReasonPathNotProjectable,
				"path[0]: expected lower camel case, such as apiKey")},
		},
		"two paths that make one variable are a conflict": {
			items: []Item{agent("dbKey", "2"), agent("db.key", "1")},
			want: []verdict{
				{"db.key", true, agentLanding("DB_KEY", "db.key")},
				isRefused("dbKey", v1alpha1.ReasonConflict,
					`environment variable "DB_KEY" is held by db.key: choose another, or delete one of the two`),
			},
		},
		"above the sum of values the later secret has no room": {
			items:  []Item{agent("a", "1"), agent("b", "2")},
			limits: limits.Agent{Secrets: 9, ValueBytes: 10, TotalValueBytes: 19},
			want: []verdict{
				{"a", true, agentLanding("A", "a")},
				isRefused("b", v1alpha1.ReasonLimitExceeded, "20 bytes of values exceed the tenant's limit of 19: free 1 by shortening or deleting some"),
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := tt.limits
			if l == (limits.Agent{}) {
				l = limits.DefaultAgent()
			}
			for range 2 {
				if diff := cmp.Diff(tt.want, verdicts(DecideAgent(tt.items, l, nil))); diff != "" {
					t.Errorf("DecideAgent (-want +got):\n%s", diff)
				}
				slices.Reverse(tt.items)
			}
		})
	}
}

func TestATypeThatCannotBeReadIsAMismatch(t *testing.T) {
	got := DecideAgent([]Item{agent("a", "1", typed(`{"type":"Nonsense"}`))}, limits.DefaultAgent(), nil)
	if len(got) != 1 || got[0].Open || got[0].Outcome.Reason != v1alpha1.ReasonTypeMismatch ||
		!strings.HasPrefix(got[0].Outcome.Message, "secretType cannot be read: ") {
		t.Errorf("DecideAgent = %+v, want one mismatch", verdicts(got))
	}
}
