// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/policy"
	"github.com/latchkey-dev/latchkey/internal/policy/claim"
	"github.com/latchkey-dev/latchkey/internal/policy/limits"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

// sealedOf returns a text of the form of a sealed value of size bytes. It opens with
// no key.
func sealedOf(size int) string {
	return "lk1.0123456789abcdef." + base64.RawURLEncoding.EncodeToString(make([]byte, seal.Overhead+size))
}

// user returns a secret of 10 bytes, stored at a resourceVersion.
func user(name, version string, edits ...func(*v1alpha1.UserSecretSpec)) Item {
	u := &v1alpha1.UserSecret{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID("uid-" + name), ResourceVersion: version},
		Spec:       v1alpha1.UserSecretSpec{SealedValue: sealedOf(10)},
	}
	for _, edit := range edits {
		edit(&u.Spec)
	}
	return UserItem(u, true)
}

func env(name string) func(*v1alpha1.UserSecretSpec) {
	return func(s *v1alpha1.UserSecretSpec) { s.EnvName = name }
}

func file(path string) func(*v1alpha1.UserSecretSpec) {
	return func(s *v1alpha1.UserSecretSpec) { s.FilePath = path }
}

func size(n int) func(*v1alpha1.UserSecretSpec) {
	return func(s *v1alpha1.UserSecretSpec) { s.SealedValue = sealedOf(n) }
}

func disabled(s *v1alpha1.UserSecretSpec) { s.Enabled = new(bool) }

func withoutValue(s *v1alpha1.UserSecretSpec) { s.SealedValue = "" }

func from(name, key string) func(*v1alpha1.UserSecretSpec) {
	return func(s *v1alpha1.UserSecretSpec) {
		s.SealedValue = ""
		s.ValueFrom = &v1alpha1.ValueSource{SecretKeyRef: v1alpha1.SecretKeyRef{Name: name, Key: key}}
	}
}

// agent returns a secret of 10 bytes and type Str; its name is its path.
func agent(path, version string, edits ...func(*v1alpha1.AgentSecretSpec)) Item {
	a := &v1alpha1.AgentSecret{
		ObjectMeta: metav1.ObjectMeta{Name: path, UID: types.UID("uid-" + path), ResourceVersion: version},
		Spec: v1alpha1.AgentSecretSpec{
			Path:        strings.Split(path, "."),
			SecretType:  runtime.RawExtension{Raw: []byte(`{"type":"Str"}`)},
			SealedValue: sealedOf(10),
		},
	}
	for _, edit := range edits {
		edit(&a.Spec)
	}
	return AgentItem(a)
}

func typed(raw string) func(*v1alpha1.AgentSecretSpec) {
	return func(s *v1alpha1.AgentSecretSpec) { s.SecretType.Raw = []byte(raw) }
}

func TestUserItem(t *testing.T) {
	got := user("a", "7", env("A"), file("~/a"), from("source", "key"), disabled)
	want := Item{
		Secret: policy.Secret{
			Claimant: claim.Claimant{Name: "a", UID: "uid-a", ResourceVersion: "7", Claims: []claim.Claim{
				{Kind: v1alpha1.ClaimName, Value: "a"}, {Kind: v1alpha1.ClaimEnv, Value: "A"}, {Kind: v1alpha1.ClaimFile, Value: "~/a"},
			}},
			Use: limits.Use{Secrets: 1, EnvBundle: 1*2 + 32, FilesBundle: (1+18)*2 + 32},
		},
		Source:   &v1alpha1.SecretKeyRef{Name: "source", Key: "key"},
		Approved: true,
		Env:      "A", EnvAsked: true, File: "~/a",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("UserItem (-want +got):\n%s", diff)
	}
}

func TestAgentItem(t *testing.T) {
	for name, tt := range map[string]struct {
		path         string
		edits        []func(*v1alpha1.AgentSecretSpec)
		wantEnv      string
		wantFile     string
		wantSize     int
		wantProblems bool
	}{
		"variable and file are made from the path": {
			path: "db.apiKey", wantEnv: "DB_API_KEY", wantFile: "db/apiKey", wantSize: 10,
		},
		"overrides win over the path": {
			path: "db.apiKey", wantEnv: "X", wantFile: "y/z", wantSize: 10,
			edits: []func(*v1alpha1.AgentSecretSpec){func(s *v1alpha1.AgentSecretSpec) { s.EnvName, s.FilePath = "X", "y/z" }},
		},
		"a path outside ASCII has no variable": {path: "größe", wantFile: "größe", wantSize: 10},
		"a path and a type that were stored without admission are problems": {
			path: "db_password", wantFile: "db_password", wantSize: 10, wantProblems: true,
			edits: []func(*v1alpha1.AgentSecretSpec){typed(`{"type":"Nonsense"}`)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			it := agent(tt.path, "1", tt.edits...)
			if it.Env != tt.wantEnv || it.File != tt.wantFile || it.Use.ValueBytes != tt.wantSize || !it.Enabled {
				t.Errorf("env %q, file %q, %d bytes, enabled %t; want %q, %q, %d, true",
					it.Env, it.File, it.Use.ValueBytes, it.Enabled, tt.wantEnv, tt.wantFile, tt.wantSize)
			}
			if got := it.PathProblem != "" && it.TypeProblem != ""; got != tt.wantProblems {
				t.Errorf("problems %q and %q, want both: %t", it.PathProblem, it.TypeProblem, tt.wantProblems)
			}
		})
	}
}
