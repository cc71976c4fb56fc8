// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package binding_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/binding"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

func agent(secretType string) *v1alpha1.AgentSecret {
	return &v1alpha1.AgentSecret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: "db"},
		Spec:       v1alpha1.AgentSecretSpec{Path: []string{"db", "password"}, SecretType: runtime.RawExtension{Raw: []byte(secretType)}},
	}
}

func TestOfAgent_ReadableType_BindsPathAndType(t *testing.T) {
	want := seal.Context{Kind: "AgentSecret", Namespace: "prod", Name: "db", Path: []string{"db", "password"}, Type: `{"inner":{"type":"Str"},"type":"Option"}`}
	got, err := binding.OfAgent(agent(`{"type":"Option","owner":null,"inner":{"type":"Str"}}`))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("context (-want +got):\n%s", diff)
	}
}

func TestOfAgent_UnreadableType_IsAVerdict(t *testing.T) {
	if _, err := binding.OfAgent(agent(`{"type":"Nonsense"}`)); !errors.Is(err, seal.ErrContext) {
		t.Errorf("OfAgent = %v, want ErrContext", err)
	}
	if _, err := binding.Agent("prod", "db", []string{"db"}, nil); !errors.Is(err, seal.ErrContext) {
		t.Errorf("Agent without a type = %v, want ErrContext", err)
	}
}

func TestUser_AnyObject_BindsKindNamespaceAndName(t *testing.T) {
	if diff := cmp.Diff(seal.Context{Kind: "UserSecret", Namespace: "alice", Name: "gh"}, binding.User("alice", "gh")); diff != "" {
		t.Errorf("context (-want +got):\n%s", diff)
	}
}
