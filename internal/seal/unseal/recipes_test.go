// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package unseal_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/latchkey-dev/latchkey/internal/seal"
	"github.com/latchkey-dev/latchkey/internal/seal/unseal"
)

// recipe says how a vector is made: seal plaintext for object with a fresh key,
// alter the text, and present it for openFor.
type recipe struct {
	file, comment, want string
	plaintext           string
	sealFor, openFor    seal.Context
	alter               func(text string) string
}

var (
	agent  = seal.Context{Kind: "AgentSecret", Namespace: "prod", Name: "db", Path: []string{"db", "password"}, Type: `{"type":"Str"}`}
	record = seal.Context{Kind: "AgentSecret", Namespace: "prod", Name: "db", Path: []string{"db"}, Type: `{"fields":[{"name":"port","typ":{"type":"U16"}}],"type":"Record"}`}
	bound  = seal.Context{Kind: "UserSecret", Namespace: "alice", NamespaceUID: "2b7c6b0e-2f0e-4f5e-8a0c-6a3d1f6f0b42", Name: "gh"}
)

var recipes = []recipe{
	{file: "opens", comment: "a token opens for its object", want: "plaintext", plaintext: "ghp_example"},
	{file: "opens-empty", comment: "an empty value opens", want: "plaintext"},
	{file: "opens-binary", comment: "bytes that are not UTF-8 open", want: "plaintext", plaintext: "\x00\xff\xfe\r\n"},
	{file: "opens-json", comment: "JSON opens as any value", want: "plaintext", plaintext: `{"db":{"password":"example"}}`},
	{file: "opens-agent", comment: "a typed value of an agent opens for its path and type", want: "plaintext", plaintext: `"example"`, sealFor: agent},
	{file: "opens-agent-record", comment: "a type is bound as JSON with sorted members", want: "plaintext", plaintext: `{"port":5432}`, sealFor: record},
	{file: "opens-namespace-uid", comment: "a value that is bound to its namespace's UID opens", want: "plaintext", plaintext: "ghp_example", sealFor: bound},
	{file: "other-path", comment: "sealed for another path", want: "not-for-object", sealFor: agent, openFor: seal.Context{Kind: "AgentSecret", Namespace: "prod", Name: "db", Path: []string{"db", "user"}, Type: `{"type":"Str"}`}},
	{file: "moved-path-boundary", comment: "the path joined is the same", want: "not-for-object", sealFor: agent, openFor: seal.Context{Kind: "AgentSecret", Namespace: "prod", Name: "db", Path: []string{"dbp", "assword"}, Type: `{"type":"Str"}`}},
	{file: "other-type", comment: "sealed for another type", want: "not-for-object", sealFor: agent, openFor: seal.Context{Kind: "AgentSecret", Namespace: "prod", Name: "db", Path: []string{"db", "password"}, Type: `{"cases":["example"],"type":"Enum"}`}},
	{file: "other-namespace-uid", comment: "sealed for a deleted namespace of the same name", want: "not-for-object", sealFor: bound, openFor: seal.Context{Kind: "UserSecret", Namespace: "alice", NamespaceUID: "8d1a3c52-6c1e-4b38-9d55-0f6d0c1e7a11", Name: "gh"}},
	{file: "missing-namespace-uid", comment: "sealed for a namespace's UID and opened without one", want: "not-for-object", sealFor: bound, openFor: object},
	{file: "other-kind", comment: "sealed for another kind", want: "not-for-object", openFor: seal.Context{Kind: "AgentSecret", Namespace: "alice", Name: "gh", Path: []string{"gh"}, Type: `{"type":"Str"}`}},
	{file: "other-namespace", comment: "sealed for another namespace", want: "not-for-object", openFor: seal.Context{Kind: "UserSecret", Namespace: "bob", Name: "gh"}},
	{file: "other-name", comment: "sealed for another name", want: "not-for-object", openFor: seal.Context{Kind: "UserSecret", Namespace: "alice", Name: "gitlab"}},
	{file: "moved-boundary", comment: "namespace and name joined are the same", want: "not-for-object", openFor: seal.Context{Kind: "UserSecret", Namespace: "aliceg", Name: "h"}},
	{file: "altered-ml-kem", comment: "a bit of the ML-KEM ciphertext is flipped", want: "not-for-object", alter: flip(0)},
	{file: "altered-x25519", comment: "a bit of the X25519 key is flipped", want: "not-for-object", alter: flip(1088)},
	{file: "altered-x25519-top-bit", comment: "the bit of the X25519 key that X25519 ignores is flipped", want: "not-for-object", alter: flipBit(1119, 7)},
	{file: "altered-ciphertext", comment: "a bit of the ciphertext is flipped", want: "not-for-object", alter: flip(1120)},
	{file: "altered-tag", comment: "a bit of the tag is flipped", want: "not-for-object", alter: flip(-1)},
	{file: "altered-longer", comment: "a byte is appended", want: "not-for-object", alter: onPayload(func(b []byte) []byte { return append(b, 0) })},
	{file: "altered-shorter", comment: "the last byte is cut off", want: "not-for-object", alter: onPayload(func(b []byte) []byte { return b[:len(b)-1] })},
	{file: "low-order-point", comment: "the X25519 key is zero", want: "not-for-object", alter: onPayload(func(b []byte) []byte { clear(b[1088:1120]); return b })},
	{file: "wrong-key", comment: "it names another key", want: "wrong-key", alter: func(s string) string { return "lk1.0000000000000000." + s[21:] }},
	{file: "version-2", comment: "it is of version 2", want: "version", alter: func(s string) string { return "lk2" + s[3:] }},
	{file: "version-0", comment: "it is of version 0", want: "version", alter: func(s string) string { return "lk0" + s[3:] }},
	{file: "malformed-plaintext", comment: "it is not sealed at all", want: "malformed", alter: func(string) string { return "ghp_example" }},
	{file: "malformed-empty", comment: "it is empty", want: "malformed", alter: func(string) string { return "" }},
	{file: "malformed-upper-case-key", comment: "the key id is in upper case", want: "malformed", alter: func(s string) string { return "lk1.ABCDEFABCDEFABCD." + s[21:] }},
	{file: "malformed-short-key", comment: "the key id has 15 digits", want: "malformed", alter: func(s string) string { return s[:4] + s[5:] }},
	{file: "malformed-padding", comment: "it is padded", want: "malformed", plaintext: "123", alter: func(s string) string { return s + "==" }},
	{file: "malformed-trailing-bits", comment: "its trailing bits are not zero", want: "malformed", plaintext: "123", alter: func(s string) string { return s[:len(s)-1] + nextLetter(s[len(s)-1]) }},
	{file: "malformed-line-break", comment: "it ends in a line break", want: "malformed", alter: func(s string) string { return s + "\n" }},
	{file: "malformed-space", comment: "it begins with a space", want: "malformed", alter: func(s string) string { return " " + s }},
	{file: "malformed-standard-base64", comment: "it is in the other base64 alphabet", want: "malformed", alter: func(s string) string { return s[:100] + "+/" + s[102:] }},
	{file: "malformed-short", comment: "it is shorter than any ciphertext", want: "malformed", alter: onPayload(func(b []byte) []byte { return b[:len(b)-1] })},
}

// nextLetter returns the letter after c. Of a plaintext of 3 bytes the payload
// has 1139 = 3*379 + 2 bytes, so the last letter ends in two bits of zero and
// the next letter does not.
func nextLetter(c byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return alphabet[strings.IndexByte(alphabet, c)+1:][:1]
}

func onPayload(f func([]byte) []byte) func(string) string {
	return func(text string) string {
		payload, err := base64.RawURLEncoding.DecodeString(text[21:])
		if err != nil {
			panic(err)
		}
		return text[:21] + base64.RawURLEncoding.EncodeToString(f(payload))
	}
}

func flip(at int) func(string) string { return flipBit(at, 0) }

// flipBit flips a bit of the byte at an offset; -1 is the last byte.
func flipBit(at, bit int) func(string) string {
	return onPayload(func(b []byte) []byte {
		b[(at+len(b))%len(b)] ^= 1 << bit
		return b
	})
}

func writeMissing(t *testing.T) {
	t.Helper()
	for _, r := range recipes {
		file := filepath.Join(vectorsDir, r.file+".json")
		if _, err := os.Stat(file); err == nil {
			continue
		}
		plaintext := r.plaintext
		if plaintext == "" && r.want == "not-for-object" {
			plaintext = "ghp_example"
		}
		if r.sealFor.Kind == "" {
			r.sealFor = object
		}
		if r.openFor.Kind == "" {
			r.openFor = r.sealFor
		}
		v := makeVector(t, generate(t), r, plaintext)
		b, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func makeVector(t *testing.T, key *unseal.PrivateKey, r recipe, plaintext string) vector {
	t.Helper()
	info, err := r.openFor.Info()
	if err != nil {
		t.Fatal(err)
	}
	text := mustSeal(t, key, r.sealFor, []byte(plaintext)).String()
	if r.alter != nil {
		text = r.alter(text)
	}
	v := vector{
		Comment:      r.comment,
		PrivateKey:   hex.EncodeToString(key.Bytes()),
		KeyID:        key.ID(),
		Kind:         r.openFor.Kind,
		Namespace:    r.openFor.Namespace,
		NamespaceUID: r.openFor.NamespaceUID,
		Name:         r.openFor.Name,
		Path:         r.openFor.Path,
		Type:         r.openFor.Type,
		Info:         hex.EncodeToString(info),
		Text:         text,
		Want:         r.want,
	}
	if r.want == "plaintext" {
		v.Plaintext = base64.StdEncoding.EncodeToString([]byte(plaintext))
	}
	return v
}
