// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundler

import (
	"context"
	"encoding/base64"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/bundle"
	"github.com/latchkey-dev/latchkey/internal/policy/limits"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

// agentSecret returns an AgentSecret of type Str and ten bytes in a namespace.
func agentSecret(namespace, name string) *v1alpha1.AgentSecret {
	return &v1alpha1.AgentSecret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: types.UID("uid-" + name)},
		Spec: v1alpha1.AgentSecretSpec{
			Path: []string{name}, SecretType: runtime.RawExtension{Raw: []byte(`{"type":"Str"}`)},
			SealedValue: "lk1.0123456789abcdef." + base64.RawURLEncoding.EncodeToString(make([]byte, seal.Overhead+10)),
		},
	}
}

func TestAgentsList_ATenant_HasWhatIsItsOwn(t *testing.T) {
	r := cacheOf(t, agentSecret("prod", "a"), agentSecret("prod", "b"), agentSecret("test", "c"))
	members, err := Agents(limits.DefaultAgent(), nil).List(t.Context(), r, "prod")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, m := range members {
		a, ok := m.Object.(*v1alpha1.AgentSecret)
		if !ok || m.Status != &a.Status || m.Item.UID != a.UID || m.Item.File != a.Name {
			t.Errorf("%s comes with the status or the item of another", m.Object.GetName())
		}
		got[m.Object.GetName()] = true
	}
	if diff := cmp.Diff(map[string]bool{"a": true, "b": true}, got); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
}

func TestAgentsList_CacheFails_IsAnError(t *testing.T) {
	broken := errors.New("no cache")
	r := interceptor.NewClient(cacheOf(t), interceptor.Funcs{
		List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error { return broken },
	})
	if members, err := Agents(limits.DefaultAgent(), nil).List(t.Context(), r, "prod"); !errors.Is(err, broken) {
		t.Errorf("List = %v, %v, want %v", members, err, broken)
	}
}

// TestAgents_TwoSecrets_LandWhereTheAdapterSays holds that the bundles which are watched and written
// are those that the values are laid out for, and that limits are kept.
func TestAgents_TwoSecrets_LandWhereTheAdapterSays(t *testing.T) {
	l := limits.DefaultAgent()
	l.Secrets = 1
	a := Agents(l, nil)
	if _, ok := a.Prototype.(*v1alpha1.AgentSecret); !ok || a.Kind != "AgentSecret" {
		t.Errorf("it is about %T, sealed as %s", a.Prototype, a.Kind)
	}
	first, second := agentSecret("prod", "a"), agentSecret("prod", "b")
	first.ResourceVersion, second.ResourceVersion = "1", "2"
	ds := a.Decide([]bundle.Item{bundle.AgentItem(second), bundle.AgentItem(first)})
	printed, failure := a.Print(ds[0].Item, seal.ValueOf(`"x"`))
	if failure != nil {
		t.Fatal(failure)
	}
	filled := a.Lay(ds, map[types.UID]bundle.Known{"uid-a": {Shape: printed.Shape}})
	want := []bundle.Outcome{{
		Ready: true, Reason: v1alpha1.ReasonProjected, Message: "projected as variable A of Secret latchkey-agent-env and file a of Secret latchkey-agent-files",
		Env: &v1alpha1.Landing{SecretName: a.EnvBundle, Key: "A"}, File: &v1alpha1.Landing{SecretName: a.FilesBundle, Key: "a"},
	}, {Reason: v1alpha1.ReasonLimitExceeded, Message: "2 secrets exceed the tenant's limit of 1: delete 1"}}
	if diff := cmp.Diff(want, filled.Outcomes); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}
