// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestHaystackFindsAValueInEveryForm(t *testing.T) {
	const value = `p4ss<word>&"quoted"\é`
	inJSON, err := json.Marshal(map[string]string{"key": value})
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		content string
		want    bool
	}{
		"as it is":                         {"\x0a\x12" + value + "\x1a", true},
		"in JSON":                          {string(inJSON), true},
		"in JSON without HTML escapes":     {`{"key":"p4ss<word>&\"quoted\"\\é"}`, true},
		"in base64":                        {base64.StdEncoding.EncodeToString([]byte(value)), true},
		"in base64 after one byte":         {base64.StdEncoding.EncodeToString([]byte("x" + value + "yz")), true},
		"in base64 after two bytes":        {base64.StdEncoding.EncodeToString([]byte("xy" + value + "z")), true},
		"in base64 after many bytes":       {base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 100) + value)), true},
		"in base64 for addresses":          {base64.RawURLEncoding.EncodeToString([]byte("k=" + value + "&")), true},
		"in JSON that is in base64":        {base64.StdEncoding.EncodeToString([]byte(`{"v":"` + value + `"}`)), true},
		"half of it is not it":             {value[:10], false},
		"another value's base64 is not it": {base64.StdEncoding.EncodeToString([]byte("something else entirely")), false},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHaystack([]needle{{value: value}})
			h.search("here", []byte(test.content))
			_, places := h.places(0)
			if got := len(places) == 1; got != test.want {
				t.Errorf("found: %t, want %t", got, test.want)
			}
		})
	}
}

func TestVerdict(t *testing.T) {
	const home = "/registry/secrets/alice/latchkey-user-env"
	needles := []needle{{owners: []string{"UserSecret alice/token"}, value: "ghp_0123456789", homes: []string{home}}}
	for name, test := range map[string]struct {
		places    map[string]string
		wantLines []string
		wantErr   string
	}{
		"in the native Secret alone": {
			places:    map[string]string{home: "\x0aghp_0123456789", "/registry/latchkey.dev/usersecrets/alice/token": "sealed"},
			wantLines: []string{"the value of UserSecret alice/token appears in 1 native Secret, " + home + " and nowhere else"},
		},
		"in the object itself": {
			places:  map[string]string{home: "ghp_0123456789", "/registry/latchkey.dev/usersecrets/alice/token": `{"value":"ghp_0123456789"}`},
			wantErr: "plaintext in etcd: the value of UserSecret alice/token lies in /registry/latchkey.dev/usersecrets/alice/token",
		},
		"in another tenant's native Secret": {
			places:  map[string]string{"/registry/secrets/bob/latchkey-user-env": "ghp_0123456789"},
			wantErr: "plaintext in etcd: the value of UserSecret alice/token lies in /registry/secrets/bob/latchkey-user-env",
		},
		"nowhere, so that the search proves nothing": {
			places:    map[string]string{home: "something else"},
			wantLines: []string{"the value of UserSecret alice/token appears nowhere"},
			wantErr:   "the search of etcd shows nothing: no value was found, not even in a native Secret",
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHaystack(needles)
			for place, content := range test.places {
				h.search(place, []byte(content))
			}
			lines, err := h.verdict()
			if diff := cmp.Diff(test.wantLines, lines); diff != "" {
				t.Errorf("lines (-want +got):\n%s", diff)
			}
			got := ""
			if err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(test.wantErr, got); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNeedlesOfSamples(t *testing.T) {
	bundlesOf := func(namespace string, more ...string) []string {
		var keys []string
		for _, name := range append([]string{
			"latchkey-user-env", "latchkey-user-files", "latchkey-agent-env", "latchkey-agent-files",
		}, more...) {
			keys = append(keys, "/registry/secrets/"+namespace+"/"+name)
		}
		return keys
	}
	for name, test := range map[string]struct {
		samples      string
		want         []needle
		wantTooShort []string
	}{
		"a user's secret has one value": {
			samples: `{kind: UserSecret, metadata: {name: token, namespace: alice}, spec: {value: ghp_0123456789}}`,
			want:    []needle{{[]string{"UserSecret alice/token"}, "ghp_0123456789", bundlesOf("alice")}},
		},
		"a typed value has a needle for each text": {
			samples: `{kind: AgentSecret, metadata: {name: db, namespace: env}, spec: {value: {user: postgres, port: 5432, tags: [production, x]}}}`,
			want: []needle{
				{[]string{"AgentSecret env/db"}, "postgres", bundlesOf("env")},
				{[]string{"AgentSecret env/db"}, "production", bundlesOf("env")},
			},
			wantTooShort: []string{"AgentSecret env/db"},
		},
		"texts inside of JSON text count too": {
			samples: `{kind: UserSecret, metadata: {name: conf, namespace: alice}, spec: {value: '{"password":"hunter22"}'}}`,
			want: []needle{
				{[]string{"UserSecret alice/conf"}, "hunter22", bundlesOf("alice")},
				{[]string{"UserSecret alice/conf"}, `{"password":"hunter22"}`, bundlesOf("alice")},
			},
		},
		"a native Secret may hold its own value": {
			samples: `{kind: Secret, metadata: {name: source, namespace: alice}, stringData: {a: plain-text}, data: {b: ZW5jb2RlZC10ZXh0}}`,
			want: []needle{
				{[]string{"Secret alice/source"}, "encoded-text", bundlesOf("alice", "source")},
				{[]string{"Secret alice/source"}, "plain-text", bundlesOf("alice", "source")},
			},
		},
		"two objects with one value share a needle": {
			samples: "{kind: UserSecret, metadata: {name: t, namespace: alice}, spec: {value: same-value}}\n---\n" +
				"{kind: UserSecret, metadata: {name: t, namespace: bob}, spec: {value: same-value}}",
			want: []needle{{[]string{"UserSecret alice/t", "UserSecret bob/t"}, "same-value", append(bundlesOf("alice"), bundlesOf("bob")...)}},
		},
		"a short value is not looked for, and said so": {
			samples:      `{kind: UserSecret, metadata: {name: pin, namespace: alice}, spec: {value: "1234"}}`,
			wantTooShort: []string{"UserSecret alice/pin"},
		},
		"other objects hold nothing secret": {
			samples: "# only a comment\n---\n{kind: Namespace, metadata: {name: alice}}\n---\n" +
				`{kind: AgentSecret, metadata: {name: later, namespace: env}, spec: {path: [later]}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			samples, err := parseSamples([]byte(test.samples))
			if err != nil {
				t.Fatal(err)
			}
			got, tooShort := needlesOf(samples)
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(needle{})); diff != "" {
				t.Errorf("needles (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.wantTooShort, tooShort); diff != "" {
				t.Errorf("too short (-want +got):\n%s", diff)
			}
		})
	}
}
