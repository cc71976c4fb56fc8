// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package seal_test

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/latchkey-dev/latchkey/internal/seal"
)

func TestContextInfo(t *testing.T) {
	// Written out by hand: this is the wire format.
	want := "00000014" + hex.EncodeToString([]byte("latchkey.dev/seal/v1")) +
		"0000000a" + hex.EncodeToString([]byte("UserSecret")) +
		"00000005" + hex.EncodeToString([]byte("alice")) +
		"00000002" + hex.EncodeToString([]byte("gh"))
	got, err := seal.Context{Kind: "UserSecret", Namespace: "alice", Name: "gh"}.Info()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, hex.EncodeToString(got)); diff != "" {
		t.Errorf("info differs (-want +got):\n%s", diff)
	}
}

func TestContextInfoIsInjective(t *testing.T) {
	contexts := []seal.Context{
		{Kind: "UserSecret", Namespace: "a", Name: "b"},
		{Kind: "UserSecret", Namespace: "b", Name: "a"},
		{Kind: "AgentSecret", Namespace: "a", Name: "b", Path: []string{"p"}, Type: "t"},
		{Kind: "AgentSecret", Namespace: "a", Name: "b", Path: []string{"t"}, Type: "p"},
		{Kind: "AgentSecret", Namespace: "a", Name: "b", Path: []string{"p", "q"}, Type: "t"},
		{Kind: "AgentSecret", Namespace: "a", Name: "b", Path: []string{"pq"}, Type: "t"},
		{Kind: "AgentSecret", Namespace: "a", Name: "b", Path: []string{"q", "p"}, Type: "t"},
		{Kind: "AgentSecret", Namespace: "a", Name: "b", Path: []string{"p"}, Type: "tq"},
		{Kind: "UserSecret", Namespace: "a", NamespaceUID: "u", Name: "b"},
		{Kind: "UserSecret", Namespace: "a", NamespaceUID: "v", Name: "b"},
		{Kind: "UserSecret", Namespace: "au", Name: "b"},
		{Kind: "UserSecret", Namespace: "ab", Name: "c"},
		{Kind: "UserSecret", Namespace: "a", Name: "bc"},
		{Kind: "UserSecreta", Namespace: "b", Name: "c"},
		{Kind: "UserSecret", Namespace: "a-b", Name: "c"},
		{Kind: "UserSecret", Namespace: "a", Name: "b-c"},
		{Kind: "UserSecret", Namespace: "a", Name: "b/c"},
		{Kind: "UserSecret", Namespace: "a\x00\x00\x00\x01b", Name: "c"},
		{Kind: "UserSecret", Namespace: "a", Name: "b\x00\x00\x00\x01c"},
	}
	seen := map[string]seal.Context{}
	for _, c := range contexts {
		info, err := c.Info()
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := seen[string(info)]; ok {
			t.Errorf("%+v and %+v have one encoding", c, other)
		}
		seen[string(info)] = c
	}
}

func TestContextInfoRefusesUnusableParts(t *testing.T) {
	long := strings.Repeat("x", 254)
	for name, c := range map[string]seal.Context{
		"a context without a kind is refused":      {Namespace: "a", Name: "b"},
		"a context without a namespace is refused": {Kind: "UserSecret", Name: "b"},
		"a context without a name is refused":      {Kind: "UserSecret", Namespace: "a"},
		"an empty context is refused":              {},
		"a kind of 254 bytes is refused":           {Kind: long, Namespace: "a", Name: "b"},
		"a namespace of 254 bytes is refused":      {Kind: "UserSecret", Namespace: long, Name: "b"},
		"a name of 254 bytes is refused":           {Kind: "UserSecret", Namespace: "a", Name: long},
		"a namespace that could hold a UID":        {Kind: "UserSecret", Namespace: "a/u", Name: "b"},
		"an AgentSecret without a path":            {Kind: "AgentSecret", Namespace: "a", Name: "b", Type: "t"},
		"an AgentSecret without a type":            {Kind: "AgentSecret", Namespace: "a", Name: "b", Path: []string{"p"}},
		"an AgentSecret with an empty segment":     {Kind: "AgentSecret", Namespace: "a", Name: "b", Path: []string{"p", ""}, Type: "t"},
		"a UserSecret with a path":                 {Kind: "UserSecret", Namespace: "a", Name: "b", Path: []string{"p"}},
		"a UserSecret with a type":                 {Kind: "UserSecret", Namespace: "a", Name: "b", Type: "t"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := c.Info(); !errors.Is(err, seal.ErrContext) {
				t.Errorf("Info() = %v, want ErrContext", err)
			}
		})
	}
	if _, err := (seal.Context{Kind: long[1:], Namespace: long[1:], Name: long[1:]}).Info(); err != nil {
		t.Errorf("parts of 253 bytes are refused: %v", err)
	}
}

func TestContextInfo_AgentSecret_HoldsTypePathAndNamespaceUID(t *testing.T) {
	part := func(s string) string { return hex.EncodeToString(append([]byte{0, 0, 0, byte(len(s))}, s...)) }
	want := part("latchkey.dev/seal/v1") + part("AgentSecret") + part("prod/uid") + part("db") +
		part(`{"type":"Str"}`) + part("db") + part("password")
	got, err := seal.Context{
		Kind: "AgentSecret", Namespace: "prod", NamespaceUID: "uid", Name: "db",
		Path: []string{"db", "password"}, Type: `{"type":"Str"}`,
	}.Info()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, hex.EncodeToString(got)); diff != "" {
		t.Errorf("info differs (-want +got):\n%s", diff)
	}
}
