// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/base64"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestVerdict_OfWhereAValueWasFound(t *testing.T) {
	const home, object = "/registry/secrets/alice/latchkey-user-env", "/registry/latchkey.dev/usersecrets/alice/token"
	samples, err := parseSamples(`{kind: UserSecret, metadata: {name: token, namespace: alice}, spec: {value: ghp_0123456789}}`)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		places    map[string]string
		wantLines []string
		wantErr   string
	}{
		"in the native Secret alone": {
			places:    map[string]string{home: "\x0aghp_0123456789", object: "sealed"},
			wantLines: []string{"the value of UserSecret alice/token appears in 1 native Secret, " + home + " and nowhere else"},
		},
		"in the object itself": {
			places:  map[string]string{home: "ghp_0123456789", object: `{"value":"ghp_0123456789"}`},
			wantErr: "plaintext: the value of UserSecret alice/token lies in " + object,
		},
		"in another tenant's native Secret, encoded": {
			places:  map[string]string{"/registry/secrets/bob/latchkey-user-env": base64.StdEncoding.EncodeToString([]byte("x=ghp_0123456789"))},
			wantErr: "plaintext: the value of UserSecret alice/token lies in /registry/secrets/bob/latchkey-user-env",
		},
		"in a log": {
			places:  map[string]string{home: "ghp_0123456789", "bin/dev/log/audit.log": "ghp_0123456789"},
			wantErr: "plaintext: the value of UserSecret alice/token lies in bin/dev/log/audit.log",
		},
		"nowhere, so that the search proves nothing": {
			places:    map[string]string{home: "something else"},
			wantLines: []string{"the value of UserSecret alice/token appears nowhere"},
			wantErr:   "the search shows nothing: no value was found, not even in a native Secret",
		},
	} {
		t.Run(name, func(t *testing.T) {
			needles, err := needlesOf(samples)
			if err != nil {
				t.Fatal(err)
			}
			for place, content := range tt.places {
				needles[0].look(place, []byte(content))
			}
			lines, err := verdict(needles)
			if diff := cmp.Diff(tt.wantLines, lines); diff != "" {
				t.Errorf("lines (-want +got):\n%s", diff)
			}
			if got := errorText(err); got != tt.wantErr {
				t.Errorf("error %q, want %q", got, tt.wantErr)
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestNeedlesOf_EachText_IsLookedFor(t *testing.T) {
	for name, tt := range map[string]struct {
		samples string
		want    map[string][]string // the forms that it has in the end, by owner
		wantErr string
	}{
		"a user's secret has one value": {
			samples: `{kind: UserSecret, metadata: {name: token, namespace: alice}, spec: {value: ghp_0123456789}}`,
			want:    map[string][]string{"UserSecret alice/token": {"ghp_0123456789"}},
		},
		"a typed value has a needle for each text": {
			samples: `{kind: AgentSecret, metadata: {name: db, namespace: env}, spec: {value: {user: postgres, port: 5432, tags: [production]}}}`,
			want:    map[string][]string{"AgentSecret env/db": {"production", "postgres"}},
		},
		"a native Secret has its own": {
			samples: `{kind: Secret, metadata: {name: source, namespace: alice}, stringData: {a: plain-text}}`,
			want:    map[string][]string{"Secret alice/source": {"plain-text"}},
		},
		"a short value is refused": {
			samples: `{kind: UserSecret, metadata: {name: pin, namespace: alice}, spec: {value: "1234"}}`,
			wantErr: "a value of UserSecret alice/pin is too short to look for: 8 characters, please",
		},
		"other objects hold nothing secret": {
			samples: "{kind: Namespace, metadata: {name: alice}}\n---\n{kind: AgentSecret, metadata: {name: later, namespace: env}, spec: {path: [later]}}",
			want:    map[string][]string{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			samples, err := parseSamples(tt.samples)
			if err != nil {
				t.Fatal(err)
			}
			needles, err := needlesOf(samples)
			if errorText(err) != tt.wantErr {
				t.Fatalf("error %v, want %q", err, tt.wantErr)
			}
			count := 0
			for _, n := range needles {
				for _, text := range tt.want[n.owner] {
					n.look(text, []byte(text))
				}
				count += len(n.leaked)
			}
			want := 0
			for _, texts := range tt.want {
				want += len(texts)
			}
			if count != want || len(needles) != want {
				t.Errorf("%d of %d needles are found, want %d", count, len(needles), want)
			}
		})
	}
}
