// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundler

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/bundle"
	"github.com/latchkey-dev/latchkey/internal/digest"
	"github.com/latchkey-dev/latchkey/internal/policy/limits"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

// userSecret returns a UserSecret of ten bytes in a namespace.
func userSecret(namespace, name string, annotations map[string]string) *v1alpha1.UserSecret {
	return &v1alpha1.UserSecret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: types.UID("uid-" + name), Annotations: annotations},
		Spec: v1alpha1.UserSecretSpec{
			EnvName: strings.ToUpper(name), FilePath: "~/" + name,
			SealedValue: "lk1.0123456789abcdef." + base64.RawURLEncoding.EncodeToString(make([]byte, seal.Overhead+10)),
		},
	}
}

func cacheOf(t *testing.T, objects ...client.Object) client.WithWatch {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build()
}

func TestUsersList_ATenant_HasWhatIsItsOwn(t *testing.T) {
	pending := func(batch string) map[string]string { return map[string]string{v1alpha1.AnnotationPending: batch} }
	gone := userSecret("alice", "gone", nil)
	gone.DeletionTimestamp, gone.Finalizers = &metav1.Time{Time: metav1.Now().Time}, []string{"a/b"}
	for name, tt := range map[string]struct {
		objects []client.Object
		want    []string
	}{
		"nothing": {nil, nil},
		"what is in its namespace": {
			[]client.Object{userSecret("alice", "a", nil), userSecret("bob", "b", nil)}, []string{"a"},
		},
		"no import that is not committed": {
			[]client.Object{userSecret("alice", "a", nil), userSecret("alice", "b", pending("1"))}, []string{"a"},
		},
		"an import that is": {
			[]client.Object{
				userSecret("alice", "a", pending("1")), userSecret("alice", "b", pending("2")),
				userSecret("alice", "c", map[string]string{v1alpha1.AnnotationCommitted: "1"}),
			}, []string{"a", "c"},
		},
		"nothing that is being deleted": {[]client.Object{gone, userSecret("alice", "a", nil)}, []string{"a"}},
	} {
		t.Run(name, func(t *testing.T) {
			members, err := Users(limits.DefaultUser(), nil, digest.Key{}).List(t.Context(), cacheOf(t, tt.objects...), "alice")
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, m := range members {
				got = append(got, m.Object.GetName())
				u, ok := m.Object.(*v1alpha1.UserSecret)
				if !ok || m.Status != &u.Status || m.Item.UID != u.UID || m.Item.Env != u.Spec.EnvName {
					t.Errorf("%s comes with the status or the item of another", m.Object.GetName())
				}
			}
			slices.Sort(got)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("members (-want +got):\n%s", diff)
			}
		})
	}
}

func TestUsersList_CacheFails_IsAnError(t *testing.T) {
	broken := errors.New("no cache")
	r := interceptor.NewClient(cacheOf(t), interceptor.Funcs{
		List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error { return broken },
	})
	if members, err := Users(limits.DefaultUser(), nil, digest.Key{}).List(t.Context(), r, "alice"); !errors.Is(err, broken) {
		t.Errorf("List = %v, %v, want %v", members, err, broken)
	}
}

// TestUsers_TwoSecrets_LandWhereTheAdapterSays holds that the bundles which are watched and written
// are those that the values are laid out for, and that limits are kept.
func TestUsers_TwoSecrets_LandWhereTheAdapterSays(t *testing.T) {
	l := limits.DefaultUser()
	l.Secrets = 1
	a := Users(l, nil, digest.Key{})
	if _, ok := a.Prototype.(*v1alpha1.UserSecret); !ok || a.Kind != "UserSecret" {
		t.Errorf("it is about %T, sealed as %s", a.Prototype, a.Kind)
	}
	first, second := userSecret("alice", "a", nil), userSecret("alice", "b", nil)
	first.ResourceVersion, second.ResourceVersion = "1", "2"
	ds := a.Decide([]bundle.Item{bundle.UserItem(second, false), bundle.UserItem(first, false)})
	printed, failure := a.Print(ds[0].Item, seal.ValueOf("x"))
	if failure != nil {
		t.Fatal(failure)
	}
	filled := a.Lay(ds, map[types.UID]bundle.Known{"uid-a": {Shape: printed.Shape}})
	want := []bundle.Outcome{{
		Ready: true, Reason: v1alpha1.ReasonProjected, Message: "projected as variable A of Secret latchkey-user-env and file a of Secret latchkey-user-files",
		Env: &v1alpha1.Landing{SecretName: a.EnvBundle, Key: "A"}, File: &v1alpha1.Landing{SecretName: a.FilesBundle, Key: "a"},
	}, {Reason: v1alpha1.ReasonLimitExceeded, Message: "2 secrets exceed the tenant's limit of 1: delete 1"}}
	if diff := cmp.Diff(want, filled.Outcomes); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}
