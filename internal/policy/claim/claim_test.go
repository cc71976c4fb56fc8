// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package claim

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
)

func user(name, rv, env, file string, recorded ...v1alpha1.Claim) Claimant {
	return OfUser(&v1alpha1.UserSecret{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), ResourceVersion: rv},
		Spec:       v1alpha1.UserSecretSpec{EnvName: env, FilePath: file},
		Status:     v1alpha1.SecretStatus{ObservedUID: name, Claims: recorded},
	})
}

func TestLosses(t *testing.T) {
	env := func(v string) Claim { return Claim{Kind: v1alpha1.ClaimEnv, Value: v} }
	tests := map[string]struct {
		all  []Claimant
		want map[string][]Loss
	}{
		"nobody loses where nothing is claimed twice": {
			all:  []Claimant{user("a", "1", "A", ""), user("b", "2", "B", "")},
			want: map[string][]Loss{"a": nil, "b": nil},
		},
		"the lower resourceVersion holds a variable": {
			all:  []Claimant{user("b", "10", "X", ""), user("a", "9", "X", "")},
			want: map[string][]Loss{"a": nil, "b": {{env("X"), "a"}}},
		},
		"a recorded claim is older than the object's present resourceVersion": {
			all: []Claimant{
				user("a", "50", "X", "", v1alpha1.Claim{Kind: v1alpha1.ClaimEnv, Value: "X", Since: "3"}),
				user("b", "4", "X", ""),
			},
			want: map[string][]Loss{"a": nil, "b": {{env("X"), "a"}}},
		},
		"a record of another value does not count": {
			all: []Claimant{
				user("a", "50", "X", "", v1alpha1.Claim{Kind: v1alpha1.ClaimEnv, Value: "OLD", Since: "3"}),
				user("b", "4", "X", ""),
			},
			want: map[string][]Loss{"b": nil, "a": {{env("X"), "b"}}},
		},
		"case matters": {
			all:  []Claimant{user("a", "1", "x", ""), user("b", "2", "X", "")},
			want: map[string][]Loss{"a": nil, "b": nil},
		},
		"each claim is judged by itself, so two objects can each lose one": {
			all: []Claimant{
				user("a", "9", "X", "/f", v1alpha1.Claim{Kind: v1alpha1.ClaimEnv, Value: "X", Since: "1"}),
				user("b", "8", "X", "/f", v1alpha1.Claim{Kind: v1alpha1.ClaimFile, Value: "/f", Since: "2"}),
			},
			want: map[string][]Loss{
				"a": {{Claim{v1alpha1.ClaimFile, "/f"}, "b"}},
				"b": {{env("X"), "a"}},
			},
		},
		"resourceVersions compare as numbers": {
			all:  []Claimant{user("a", "100", "X", ""), user("b", "99", "X", "")},
			want: map[string][]Loss{"b": nil, "a": {{env("X"), "b"}}},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for range 2 { // in either order of input
				table := NewTable(tt.all)
				for _, h := range tt.all {
					if diff := cmp.Diff(tt.want[h.Name], table.Losses(h)); diff != "" {
						t.Errorf("%s (-want +got):\n%s", h.Name, diff)
					}
				}
				for i, j := 0, len(tt.all)-1; i < j; i, j = i+1, j-1 {
					tt.all[i], tt.all[j] = tt.all[j], tt.all[i]
				}
			}
		})
	}
}

func TestRecordKeepsWhatIsWrittenDown(t *testing.T) {
	h := user("a", "50", "X", "", v1alpha1.Claim{Kind: v1alpha1.ClaimEnv, Value: "X", Since: "3"})
	want := []v1alpha1.Claim{
		{Kind: v1alpha1.ClaimName, Value: "a", Since: "50"},
		{Kind: v1alpha1.ClaimEnv, Value: "X", Since: "3"},
	}
	if diff := cmp.Diff(want, h.AppendRecord(nil)); diff != "" {
		t.Errorf("AppendRecord (-want +got):\n%s", diff)
	}
}

func TestOfUser_StatusOfAnotherObject_DoesNotCount(t *testing.T) {
	claimed := func(since string) []v1alpha1.Claim {
		return []v1alpha1.Claim{{Kind: v1alpha1.ClaimEnv, Value: "A", Since: since}}
	}
	env := Claim{Kind: v1alpha1.ClaimEnv, Value: "A"}
	for name, tt := range map[string]struct {
		status v1alpha1.SecretStatus
		want   string
	}{
		"its own":                     {v1alpha1.SecretStatus{ObservedUID: "a", Claims: claimed("3")}, "3"},
		"of the object before it":     {v1alpha1.SecretStatus{ObservedUID: "before", Claims: claimed("3")}, "50"},
		"of nobody knows which":       {v1alpha1.SecretStatus{Claims: claimed("3")}, "50"},
		"of a cluster that is older":  {v1alpha1.SecretStatus{ObservedUID: "a", Claims: claimed("51")}, "50"},
		"of a write yet to be made":   {v1alpha1.SecretStatus{ObservedUID: "a", Claims: claimed("50")}, "50"},
		"of no resourceVersion":       {v1alpha1.SecretStatus{ObservedUID: "a", Claims: claimed("-")}, "50"},
		"of a cluster that is longer": {v1alpha1.SecretStatus{ObservedUID: "a", Claims: claimed("123456789012345678901234567890")}, "50"},
	} {
		t.Run(name, func(t *testing.T) {
			meta := metav1.ObjectMeta{Name: "a", UID: "a", ResourceVersion: "50"}
			user := OfUser(&v1alpha1.UserSecret{ObjectMeta: meta, Spec: v1alpha1.UserSecretSpec{EnvName: "A"}, Status: tt.status})
			agent := OfAgent(&v1alpha1.AgentSecret{ObjectMeta: meta, Spec: v1alpha1.AgentSecretSpec{Path: []string{"a"}}, Status: tt.status})
			for kind, h := range map[string]Claimant{"UserSecret": user, "AgentSecret": agent} {
				if got := h.Since(env); got != tt.want {
					t.Errorf("a %s claims since %s, want %s", kind, got, tt.want)
				}
			}
		})
	}
}
