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
	"github.com/latchkey-dev/latchkey/internal/policy/limits"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

func sealedOf(size int) string {
	return "lk1.0123456789abcdef." + base64.RawURLEncoding.EncodeToString(make([]byte, seal.Overhead+size))
}

// stored is a record of an object that is there; its name is its UID.
func stored(name, env, file string, size int) record {
	r := userRecord(&v1alpha1.UserSecret{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name)},
		Spec:       v1alpha1.UserSecretSpec{EnvName: env, FilePath: file, SealedValue: sealedOf(size)},
	})
	return r
}

// creation is a proposal of an object that is not there yet.
func creation(name, env, file string, size int) proposal {
	r := stored(name, env, file, size)
	r.uid, r.claimant.UID = "", ""
	return proposal{record: r}
}

// update is a proposal to make before into after.
func update(before, after record) proposal { return proposal{record: after, before: &before} }

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

func TestJudge(t *testing.T) {
	tight := limits.User{Secrets: 3, ValueBytes: 100, EnvValueBytes: 50}
	for name, tt := range map[string]struct {
		proposals []proposal
		all       []record
		want      problems
	}{
		"what is free may stay": {
			[]proposal{creation("a", "A", "~/a", 1)}, []record{stored("b", "B", "~/b", 1)}, problems{},
		},
		"what is taken may not, in the order of the fields": {
			[]proposal{creation("a", "A", "~/a", 1)}, []record{stored("b", "A", "~/a", 1), stored("a", "", "", 1)},
			problems{Conflicts: []Conflict{{0, FieldName}, {0, FieldEnvName}, {0, FieldFilePath}}},
		},
		"case matters": {
			[]proposal{creation("a", "A", "", 1)}, []record{stored("b", "a", "", 1)}, problems{},
		},
		"the object itself is no rival once it is written": {
			[]proposal{{record: stored("a", "A", "~/a", 1)}}, []record{stored("a", "A", "~/a", 1)}, problems{},
		},
		"the parts of one import are rivals": {
			[]proposal{creation("a", "A", "", 1), creation("b", "B", "", 1), creation("c", "A", "", 1)}, nil,
			problems{Conflicts: []Conflict{{2, FieldEnvName}}},
		},
		"an import is judged as a whole": {
			[]proposal{creation("a", "A", "", 1), creation("b", "X", "", 1)}, []record{stored("x", "X", "", 1)},
			problems{Conflicts: []Conflict{{1, FieldEnvName}}},
		},
		"what an object had before is not judged": {
			[]proposal{update(stored("a", "A", "", 1), stored("a", "A", "~/a", 1))}, []record{stored("a", "A", "", 1), stored("b", "A", "", 1)}, problems{},
		},
		"what an object takes anew is": {
			[]proposal{update(stored("a", "A", "", 1), stored("a", "B", "", 1))}, []record{stored("a", "A", "", 1), stored("b", "B", "", 1)},
			problems{Conflicts: []Conflict{{0, FieldEnvName}}},
		},
		"at every limit there is room": {
			[]proposal{creation("a", "A", "", 50)}, []record{stored("b", "", "", 50), stored("c", "", "", 0)}, problems{},
		},
		"above the count there is none": {
			[]proposal{creation("a", "", "", 0)}, []record{stored("b", "", "", 0), stored("c", "", "", 0), stored("d", "", "", 0)},
			problems{Limit: &limits.Excess{Kind: limits.Count, Max: 3, Would: 4}},
		},
		"above the sum there is none": {
			[]proposal{creation("a", "", "", 60)}, []record{stored("b", "", "", 41)}, problems{Limit: &limits.Excess{Kind: limits.ValueBytes, Max: 100, Would: 101}},
		},
		"above the sum of variables there is none": {
			[]proposal{creation("a", "A", "", 30)}, []record{stored("b", "B", "", 21)}, problems{Limit: &limits.Excess{Kind: limits.EnvValueBytes, Max: 50, Would: 51}},
		},
		"above what a native Secret can take there is none, each secret counted as it is stored": {
			[]proposal{creation("a", "", "~/a", 0)}, []record{{use: limits.Use{FilesBundle: limits.MaxBundleBytes - 69}}},
			problems{Limit: &limits.Excess{Kind: limits.FilesBundle, Max: 983040, Would: 983041}},
		},
		"an update to a longer variable's name needs the room that it takes": {
			[]proposal{update(stored("a", "A", "", 0), stored("a", "AB", "", 0))}, []record{stored("a", "A", "", 0), {use: limits.Use{EnvBundle: limits.MaxBundleBytes - 35}}},
			problems{Limit: &limits.Excess{Kind: limits.EnvBundle, Max: 983040, Would: 983041}},
		},
		"the parts of one import add up": {
			[]proposal{creation("a", "", "", 60), creation("b", "", "", 41)}, nil, problems{Limit: &limits.Excess{Kind: limits.ValueBytes, Max: 100, Would: 101}},
		},
		"an update's own old size does not count": {
			[]proposal{update(stored("a", "", "", 90), stored("a", "", "", 95))}, []record{stored("a", "", "", 90)}, problems{},
		},
		"above a limit that was lowered, an update that shrinks is fine": {
			[]proposal{update(stored("a", "A", "", 90), stored("a", "A", "", 80))}, []record{stored("a", "A", "", 90), stored("b", "", "", 90)}, problems{},
		},
		"above a limit that was lowered, an update that stays is fine": {
			[]proposal{update(stored("a", "A", "", 90), stored("a", "B", "", 90))}, []record{stored("a", "A", "", 90), stored("b", "", "", 90)}, problems{},
		},
		"above a limit that was lowered, an update that grows is not": {
			[]proposal{update(stored("a", "", "", 90), stored("a", "", "", 91))}, []record{stored("a", "", "", 90), stored("b", "", "", 90)},
			problems{Limit: &limits.Excess{Kind: limits.ValueBytes, Max: 100, Would: 181}},
		},
		"a value that becomes a variable grows": {
			[]proposal{update(stored("a", "", "", 60), stored("a", "A", "", 60))}, []record{stored("a", "", "", 60)},
			problems{Limit: &limits.Excess{Kind: limits.EnvValueBytes, Max: 50, Would: 60}},
		},
		"who lost a claim is about to be taken back, and takes nobody's room": {
			[]proposal{creation("a", "", "", 0)}, []record{stored("b", "X", "", 1), stored("c", "X", "", 1), stored("d", "X", "", 1)}, problems{},
		},
		"a conflict and a limit are both told": {
			[]proposal{creation("a", "", "", 101)}, []record{stored("a", "", "", 0)},
			problems{Conflicts: []Conflict{{0, FieldName}}, Limit: &limits.Excess{Kind: limits.ValueBytes, Max: 100, Would: 101}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := userCore(tight).judge(tt.proposals, tt.all)
			if diff := cmp.Diff(tt.want, problemsOf(err)); diff != "" {
				t.Errorf("judge (-want +got):\n%s", diff)
			}
			if wantLost := tt.want.Conflicts != nil || tt.want.Limit != nil; (err != nil) != wantLost {
				t.Errorf("judge = %v, want an error: %t", err, wantLost)
			}
		})
	}
}

func TestClaimsThatAreNotUniqueAreNotContested(t *testing.T) {
	c := userCore(limits.DefaultUser())
	c.unique = func(k v1alpha1.ClaimKind) bool { return k == v1alpha1.ClaimName }
	err := c.judge([]proposal{creation("a", "A", "~/a", 1)}, []record{stored("a", "A", "~/a", 1)})
	if diff := cmp.Diff(problems{Conflicts: []Conflict{{0, FieldName}}}, problemsOf(err)); diff != "" {
		t.Errorf("judge (-want +got):\n%s", diff)
	}
}

func TestWhoSharesAVariableWithAnotherPathTakesRoom(t *testing.T) {
	agent := func(path ...string) record {
		return agentRecord(&v1alpha1.AgentSecret{
			ObjectMeta: metav1.ObjectMeta{Name: strings.Join(path, "."), UID: types.UID(strings.Join(path, "."))},
			Spec:       v1alpha1.AgentSecretSpec{Path: path},
		})
	}
	l := limits.Agent{Secrets: 2, ValueBytes: 1, TotalValueBytes: 1}
	c := &core{limit: l.Check, unique: func(k v1alpha1.ClaimKind) bool { return k == v1alpha1.ClaimPath }}
	third := agent("a", "bC")
	third.uid, third.claimant.UID = "", ""
	err := c.judge([]proposal{{record: third}}, []record{agent("a", "b", "c"), agent("aB", "c")})
	if diff := cmp.Diff(problems{Limit: &limits.Excess{Kind: limits.Count, Max: 2, Would: 3}}, problemsOf(err)); diff != "" {
		t.Errorf("judge (-want +got):\n%s", diff)
	}
}

func TestAnAgentSecretThatIsTooLargeIsRefusedAsOneValue(t *testing.T) {
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
	at := func(r record, version string, recorded ...v1alpha1.Claim) record {
		r.claimant.ResourceVersion, r.claimant.Recorded = version, recorded
		return r
	}
	mine, rival, lost := stored("a", "X", "", 1), stored("b", "X", "", 1), problems{Conflicts: []Conflict{{0, FieldEnvName}}}
	name := v1alpha1.Claim{Kind: v1alpha1.ClaimName, Value: "b", Since: "5"}
	for what, tt := range map[string]struct {
		others []record
		want   problems
	}{
		"alone, it stays":                                    {},
		"who came before has won":                            {[]record{at(rival, "6")}, lost},
		"who came later has lost":                            {[]record{at(rival, "8")}, problems{}},
		"who was written again still came before":            {[]record{at(rival, "9", name, v1alpha1.Claim{Kind: v1alpha1.ClaimEnv, Value: "X", Since: "5"})}, lost},
		"who came before and took the claim later, has lost": {[]record{at(rival, "9", name, v1alpha1.Claim{Kind: v1alpha1.ClaimEnv, Value: "X", Since: "9"})}, problems{}},
		"who came before takes room":                         {[]record{at(stored("c", "", "", 1), "5"), at(stored("d", "", "", 1), "6")}, problems{Limit: &limits.Excess{Kind: limits.Count, Max: 2, Would: 3}}},
		"who came later takes none":                          {[]record{at(stored("c", "", "", 1), "5"), at(stored("d", "", "", 1), "8")}, problems{}},
	} {
		t.Run(what, func(t *testing.T) {
			c := userCore(limits.User{Secrets: 2, ValueBytes: 100, EnvValueBytes: 100})
			c.trackers.observe(&v1alpha1.UserSecret{ObjectMeta: metav1.ObjectMeta{ResourceVersion: "9"}})
			c.cached = func(context.Context, string) ([]record, error) { return append(tt.others, at(mine, "7")), nil }
			if diff := cmp.Diff(tt.want, problemsOf(c.settle(t.Context(), "alice", []proposal{{record: at(mine, "7")}}, "7"))); diff != "" {
				t.Errorf("settle (-want +got):\n%s", diff)
			}
		})
	}
}
