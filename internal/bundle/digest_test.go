// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/digest"
)

func inputKey() digest.Key {
	k, _ := digest.NewKey([]byte(strings.Repeat("k", digest.KeyLen)))
	return k
}

func TestInput_OfAUserSecret_ChangesWithWhatTheEntryDependsOn(t *testing.T) {
	value, source := user("a", "1", env("A")), user("c", "3", env("C"), from("s", "k"))
	input := func(it Item, version string) digest.Short { return Input(inputKey(), "alice", it, version) }
	for name, tt := range map[string]struct {
		was, is digest.Short
		want    bool
	}{
		"nothing changed":                     {input(value, ""), input(value, ""), false},
		"a status was written":                {input(value, ""), input(at(value, "1"), ""), false},
		"another value":                       {input(value, ""), input(user("a", "1", env("A"), size(11)), ""), true},
		"deleted and made again":              {input(value, ""), input(withUID(value, "uid-z"), ""), true},
		"another namespace":                   {input(value, ""), Input(inputKey(), "bob", value, ""), true},
		"a source has another version":        {input(source, "5"), input(source, "6"), true},
		"a source is another Secret":          {input(source, "5"), input(user("c", "3", env("C"), from("z", "k")), "5"), true},
		"a source has another key":            {input(source, "5"), input(user("c", "3", env("C"), from("s", "z")), "5"), true},
		"a value that was kept is no value":   {input(value, ""), KeptInput(inputKey(), "alice", input(value, "")), true},
		"kept of another input is other kept": {KeptInput(inputKey(), "alice", input(value, "")), KeptInput(inputKey(), "alice", input(source, "")), true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tt.was != tt.is; got != tt.want {
				t.Errorf("the input changed: %t, want %t", got, tt.want)
			}
		})
	}
}

// at returns an object as it is after a write that recorded its claims.
func at(it Item, since string) Item {
	it.Recorded = []v1alpha1.Claim{{Kind: v1alpha1.ClaimName, Value: it.Name, Since: since}}
	it.ResourceVersion = "900"
	return it
}

func withUID(it Item, uid types.UID) Item {
	it.UID = uid
	return it
}

func TestAgentInputsChangeWithPathAndType(t *testing.T) {
	inputs := func(it Item) digest.Short { return Input(inputKey(), "alice", it, "") }
	overridden := func(s *v1alpha1.AgentSecretSpec) { s.EnvName, s.FilePath = "X", "x" }
	before := inputs(agent("a.b", "1", overridden))
	for name, tt := range map[string]struct {
		path, typ string
		want      bool
	}{
		"the same object":                       {"a.b", `{"type":"Str"}`, false},
		"the same type, printed otherwise":      {"a.b", `{ "type" : "Str" }`, false},
		"another type prints values otherwise":  {"a.b", `{"type":"Chr"}`, true},
		"another path moves it in the document": {"a.c", `{"type":"Str"}`, true},
	} {
		t.Run(name, func(t *testing.T) {
			it := withUID(agent(tt.path, "1", overridden, typed(tt.typ)), "uid-a.b")
			if got := inputs(it) != before; got != tt.want {
				t.Errorf("the inputs changed: %t, want %t", got, tt.want)
			}
		})
	}
}

func TestMAC_AnythingElse_GivesAnotherDigest(t *testing.T) {
	keyed := func(fill string) digest.Key {
		k, _ := digest.NewKey([]byte(strings.Repeat(fill, digest.KeyLen)))
		return k
	}
	key, env := keyed("k"), v1alpha1.BundleUserEnv
	bytes := func(m map[string]string) Digests {
		out := Digests{}
		for k, v := range m {
			out[k] = EntryDigest(key, "alice", env, k, []byte(v))
		}
		return out
	}
	seen := map[string]string{}
	for name, mac := range map[string]string{
		"nothing":                             MAC(key, "alice", env, nil, ""),
		"an empty value":                      MAC(key, "alice", env, bytes(map[string]string{"a": ""}), ""),
		"a value":                             MAC(key, "alice", env, bytes(map[string]string{"a": "bc"}), ""),
		"the boundary of key and value moved": MAC(key, "alice", env, bytes(map[string]string{"ab": "c"}), ""),
		"two values":                          MAC(key, "alice", env, bytes(map[string]string{"a": "b", "c": ""}), ""),
		"two values, exchanged":               MAC(key, "alice", env, bytes(map[string]string{"a": "", "c": "b"}), ""),
		"paths":                               MAC(key, "alice", env, bytes(map[string]string{"a": "bc"}), "layout"),
		"a value under another key":           MAC(keyed("o"), "alice", env, bytes(map[string]string{"a": "bc"}), ""),
		"a value in another namespace":        MAC(key, "bob", env, bytes(map[string]string{"a": "bc"}), ""),
		"a value in another bundle":           MAC(key, "alice", v1alpha1.BundleUserFiles, bytes(map[string]string{"a": "bc"}), ""),
	} {
		if other, taken := seen[mac]; taken {
			t.Errorf("%q and %q digest alike", name, other)
		}
		seen[mac] = name
	}
	data := map[string]string{"a": "1", "b": "2", "c": "3"}
	once := MAC(key, "alice", env, bytes(data), "p")
	for range 20 { // maps are iterated in random order
		if MAC(key, "alice", env, bytes(data), "p") != once {
			t.Fatal("the same content digests differently")
		}
	}
}

func TestIsBundle(t *testing.T) {
	got := map[string]bool{}
	for _, name := range []string{"latchkey-user-env", "latchkey-user-files", "latchkey-agent-env", "latchkey-agent-files", "latchkey-user", ""} {
		got[name] = IsBundle(name)
	}
	want := map[string]bool{
		"latchkey-user-env": true, "latchkey-user-files": true, "latchkey-agent-env": true, "latchkey-agent-files": true,
		"latchkey-user": false, "": false,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("IsBundle (-want +got):\n%s", diff)
	}
}

func TestKeysOfFiles(t *testing.T) {
	long := strings.Repeat("n", 253)
	for name, tt := range map[string]struct {
		got, want string
	}{
		"a plain name is the key":                          {UserFileKey("github-token"), "github-token"},
		"the longest name is the key":                      {UserFileKey(long), long},
		"a name with a blank gets a digest":                {UserFileKey("my token"), "my_token--5a1b0ea6a4e0ad67"},
		"a name outside ASCII stays readable where it can": {UserFileKey("clé"), "cl_--51cbcf30514d0802"},
		"a name that looks like a digest gets one":         {UserFileKey("a--b"), "a--b--90827a2e56361a8f"},
		"a hidden name begins with something else":         {UserFileKey(".netrc"), "netrc--3de95a09ee1730e3"},
		"a name of dots is its digest":                     {UserFileKey("..."), "--ab5df625bc76dbd4"},
		"a file's slashes become dots":                     {AgentFileKey("db/password"), "db.password"},
		"a file with a dot could be another's key":         {AgentFileKey("db.password"), "db.password--5cc7921ace77c467"},
		"the typed document keeps its key":                 {AgentFileKey("secrets/json"), "secrets.json--1c5fafc6127d52b6"},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.got != tt.want {
				t.Errorf("got %q, want %q", tt.got, tt.want)
			}
		})
	}
}

func TestEveryNameHasAKeyOfItsOwn(t *testing.T) {
	names := []string{
		"a", "A", " ", "_", "a b", "a_b", "a\tb", ".", "..", "...", "-", "--", "---", "é", "è", "\xff", "\u2028",
		"secrets.json", "secrets/json", "a/b", "a.b", "a.b/c", "a/b.c", UserFileKey("a b"), UserFileKey("a/b"),
		strings.Repeat("x", 253), strings.Repeat("é", 126), strings.Repeat("é", 125) + "x", strings.Repeat("x", 1024),
		strings.Repeat("a/", 500) + "a", strings.Repeat("a/", 500) + "b",
	}
	for kind, key := range map[string]func(string) string{"user": UserFileKey, "agent": AgentFileKey} {
		t.Run(kind, func(t *testing.T) {
			seen := map[string]string{}
			for _, name := range names {
				got := key(name)
				if problems := validation.IsConfigMapKey(got); len(problems) > 0 {
					t.Errorf("%q has the key %q, which a Secret cannot: %v", name, got, problems)
				}
				if got == TreeKey && kind == "agent" {
					t.Errorf("%q has the typed document's key", name)
				}
				if other, taken := seen[got]; taken {
					t.Errorf("%q and %q have the same key %q", name, other, got)
				}
				seen[got] = name
			}
		})
	}
}

func TestOutcomesOfValuesThatCannotBeHad(t *testing.T) {
	ref := v1alpha1.SecretKeyRef{Name: "source", Key: "token"}
	for name, tt := range map[string]struct {
		got                Outcome
		wantReason, wantIn string
	}{
		"a value that does not open says what to do": {Unsealable(), v1alpha1.ReasonUnsealable, "seal the value again"},
		"a key that is not there is named":           {KeyNotFound("0123456789abcdef"), v1alpha1.ReasonKeyNotFound, "0123456789abcdef"},
		"a source that is not there is named":        {SourceNotFound(ref, false), v1alpha1.ReasonSourceNotFound, "Secret source does not exist"},
		"a source without the key is another matter": {SourceNotFound(ref, true), v1alpha1.ReasonSourceNotFound, "Secret source has no key token"},
		"a foreign Secret is named and left alone":   {Blocked("latchkey-user-env"), v1alpha1.ReasonBundleBlocked, "Secret latchkey-user-env is not Latchkey's"},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.got.Ready || tt.got.Reason != tt.wantReason || !strings.Contains(tt.got.Message, tt.wantIn) || tt.got.Env != nil || tt.got.File != nil {
				t.Errorf("outcome %+v, want reason %s and %q in its message", tt.got, tt.wantReason, tt.wantIn)
			}
		})
	}
}
