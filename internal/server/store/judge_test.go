// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/bundle"
	"github.com/latchkey-dev/latchkey/internal/policy"
	"github.com/latchkey-dev/latchkey/internal/policy/limits"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

func sealedOf(size int) string {
	return "lk1.0123456789abcdef." + base64.RawURLEncoding.EncodeToString(make([]byte, seal.Overhead+size))
}

// stored is an object that is there; its name is its UID.
func stored(name, env, file string, size int) policy.Secret {
	r := bundle.OfUser(&v1alpha1.UserSecret{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name)},
		Spec:       v1alpha1.UserSecretSpec{EnvName: env, FilePath: file, SealedValue: sealedOf(size)},
	})
	return r
}

// creation is the change to an object that is not there yet.
func creation(name, env, file string, size int) policy.Change {
	r := stored(name, env, file, size)
	r.UID = ""
	return policy.Change{Secret: r}
}

// problems is what a test wants of an error.
type problems struct {
	Conflicts []Conflict
	Limit     *limits.Excess
}

func problemsOf(err error) problems {
	var out problems
	var conflict *ConflictError
	if errors.As(err, &conflict) {
		out.Conflicts = conflict.Conflicts
	}
	errors.As(err, &out.Limit)
	return out
}

func userCore(l limits.User) *core {
	return &core{
		kind: "UserSecret", trackers: newTrackers(nil),
		limit: l.Check, unique: func(v1alpha1.ClaimKind) bool { return true },
	}
}

func TestJudge_ConflictAndLimit_AreBothTold(t *testing.T) {
	c := userCore(limits.User{Secrets: 3, ValueBytes: 100, EnvValueBytes: 50})
	err := c.judge([]policy.Change{creation("a", "", "", 101)}, []policy.Secret{stored("a", "", "", 0)})
	want := problems{Conflicts: []Conflict{{0, v1alpha1.ClaimName}}, Limit: &limits.Excess{Kind: limits.ValueBytes, Max: 100, Would: 101}}
	if diff := cmp.Diff(want, problemsOf(err)); diff != "" {
		t.Errorf("judge (-want +got):\n%s", diff)
	}
}

func TestJudge_TheObjectItself_IsNoRivalOnceItIsWritten(t *testing.T) {
	c := userCore(limits.User{Secrets: 1, ValueBytes: 1, EnvValueBytes: 1})
	own := stored("a", "A", "~/a", 1)
	if err := c.judge([]policy.Change{{Secret: own}}, []policy.Secret{own}); err != nil {
		t.Errorf("judge = %v, want it to stay", err)
	}
}

func TestJudge_ClaimsThatAreNotUnique_AreNotContested(t *testing.T) {
	c := userCore(limits.DefaultUser())
	c.unique = func(k v1alpha1.ClaimKind) bool { return k == v1alpha1.ClaimName }
	err := c.judge([]policy.Change{creation("a", "A", "~/a", 1)}, []policy.Secret{stored("a", "A", "~/a", 1)})
	if diff := cmp.Diff(problems{Conflicts: []Conflict{{0, v1alpha1.ClaimName}}}, problemsOf(err)); diff != "" {
		t.Errorf("judge (-want +got):\n%s", diff)
	}
}

func TestFits_ValueTooLarge_IsRefusedAsOneValue(t *testing.T) {
	s := &Agents{limits: limits.Agent{ValueBytes: 3}}
	large, small := seal.ValueOf("1234"), seal.ValueOf("123")
	if diff := cmp.Diff(problems{Limit: &limits.Excess{Kind: limits.OneValueBytes, Max: 3, Would: 4}}, problemsOf(s.fits(&large))); diff != "" {
		t.Errorf("fits (-want +got):\n%s", diff)
	}
	if err := errors.Join(s.fits(&small), s.fits(nil)); err != nil {
		t.Errorf("fits = %v, want room", err)
	}
}

// TestSettle holds that of a write and a rival that did not come through REST, who wrote
// first stays, as far as the cache knows.
func TestSettle(t *testing.T) {
	at := func(r policy.Secret, version string, recorded ...v1alpha1.Claim) policy.Secret {
		r.ResourceVersion, r.Recorded = version, recorded
		return r
	}
	mine, rival, lost := stored("a", "X", "", 1), stored("b", "X", "", 1), problems{Conflicts: []Conflict{{0, v1alpha1.ClaimEnv}}}
	name := v1alpha1.Claim{Kind: v1alpha1.ClaimName, Value: "b", Since: "5"}
	for what, tt := range map[string]struct {
		others []policy.Secret
		want   problems
	}{
		"alone, it stays":                                    {},
		"who came before has won":                            {[]policy.Secret{at(rival, "6")}, lost},
		"who came later has lost":                            {[]policy.Secret{at(rival, "8")}, problems{}},
		"who was written again still came before":            {[]policy.Secret{at(rival, "9", name, v1alpha1.Claim{Kind: v1alpha1.ClaimEnv, Value: "X", Since: "5"})}, lost},
		"who came before and took the claim later, has lost": {[]policy.Secret{at(rival, "9", name, v1alpha1.Claim{Kind: v1alpha1.ClaimEnv, Value: "X", Since: "9"})}, problems{}},
		"who came before takes room":                         {[]policy.Secret{at(stored("c", "", "", 1), "5"), at(stored("d", "", "", 1), "6")}, problems{Limit: &limits.Excess{Kind: limits.Count, Max: 2, Would: 3}}},
		"who came later takes none":                          {[]policy.Secret{at(stored("c", "", "", 1), "5"), at(stored("d", "", "", 1), "8")}, problems{}},
	} {
		t.Run(what, func(t *testing.T) {
			c := userCore(limits.User{Secrets: 2, ValueBytes: 100, EnvValueBytes: 100})
			c.trackers.observe(&v1alpha1.UserSecret{ObjectMeta: metav1.ObjectMeta{ResourceVersion: "9"}})
			c.cached = func(context.Context, string) ([]policy.Secret, error) { return append(tt.others, at(mine, "7")), nil }
			if diff := cmp.Diff(tt.want, problemsOf(c.confirm(t.Context(), "alice", []policy.Change{{Secret: at(mine, "7")}}, "7"))); diff != "" {
				t.Errorf("confirm (-want +got):\n%s", diff)
			}
		})
	}
}

func TestUpdate_LargeValueAtAnOldRevision_IsRefusedForTheRevision(t *testing.T) {
	_, agents := startAgents(t)
	a, err := agents.Create(t.Context(), "prod", newAgent(t, "a"))
	if err != nil {
		t.Fatal(err)
	}
	large := seal.ValueOf(strings.Repeat("x", 101))
	for revision, want := range map[int64]func(error) bool{
		0: func(err error) bool { var excess *limits.Excess; return errors.As(err, &excess) },
		7: func(err error) bool { return errors.Is(err, ErrRevision) },
	} {
		if _, err := agents.Update(t.Context(), a, revision, AgentChange{Set: &large}); !want(err) {
			t.Errorf("at revision %d: %v", revision, err)
		}
	}
}
