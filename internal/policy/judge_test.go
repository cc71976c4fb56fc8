// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"encoding/base64"
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

// conflict is a policy.Conflict without the text of the claim.
type conflict struct {
	Index  int
	Kind   v1alpha1.ClaimKind
	Holder string
}

// problems is what a case wants.
type problems struct {
	Conflicts []conflict
	Limit     *limits.Excess
}

// update is the change that makes before into after.
func update(before, after policy.Secret) policy.Change {
	return policy.Change{Secret: after, Before: &before}
}

func TestJudge_ChangesOfATenant_ClaimsAndLimits(t *testing.T) {
	tight := limits.User{Secrets: 3, ValueBytes: 100, EnvValueBytes: 50}
	for name, tt := range map[string]struct {
		changes []policy.Change
		others  []policy.Secret
		want    problems
	}{
		"what is free may stay": {
			[]policy.Change{creation("a", "A", "~/a", 1)}, []policy.Secret{stored("b", "B", "~/b", 1)}, problems{},
		},
		"what is taken may not, in the order of the fields": {
			[]policy.Change{creation("a", "A", "~/a", 1)}, []policy.Secret{stored("b", "A", "~/a", 1), stored("a", "", "", 1)},
			problems{Conflicts: []conflict{{0, v1alpha1.ClaimName, "a"}, {0, v1alpha1.ClaimEnv, "b"}, {0, v1alpha1.ClaimFile, "b"}}},
		},
		"case matters": {
			[]policy.Change{creation("a", "A", "", 1)}, []policy.Secret{stored("b", "a", "", 1)}, problems{},
		},
		"the parts of one import are rivals": {
			[]policy.Change{creation("a", "A", "", 1), creation("b", "B", "", 1), creation("c", "A", "", 1)}, nil,
			problems{Conflicts: []conflict{{2, v1alpha1.ClaimEnv, "a"}}},
		},
		"an import is judged as a whole": {
			[]policy.Change{creation("a", "A", "", 1), creation("b", "X", "", 1)}, []policy.Secret{stored("x", "X", "", 1)},
			problems{Conflicts: []conflict{{1, v1alpha1.ClaimEnv, "x"}}},
		},
		"what an object had before is not judged": {
			[]policy.Change{update(stored("a", "A", "", 1), stored("a", "A", "~/a", 1))}, []policy.Secret{stored("b", "A", "", 1)}, problems{},
		},
		"what an object takes in addition is": {
			[]policy.Change{update(stored("a", "A", "", 1), stored("a", "B", "", 1))}, []policy.Secret{stored("b", "B", "", 1)},
			problems{Conflicts: []conflict{{0, v1alpha1.ClaimEnv, "b"}}},
		},
		"at every limit there is room": {
			[]policy.Change{creation("a", "A", "", 50)}, []policy.Secret{stored("b", "", "", 50), stored("c", "", "", 0)}, problems{},
		},
		"above the count there is none": {
			[]policy.Change{creation("a", "", "", 0)}, []policy.Secret{stored("b", "", "", 0), stored("c", "", "", 0), stored("d", "", "", 0)},
			problems{Limit: &limits.Excess{Kind: limits.Count, Max: 3, Would: 4}},
		},
		"above the sum there is none": {
			[]policy.Change{creation("a", "", "", 60)}, []policy.Secret{stored("b", "", "", 41)}, problems{Limit: &limits.Excess{Kind: limits.ValueBytes, Max: 100, Would: 101}},
		},
		"above the sum of variables there is none": {
			[]policy.Change{creation("a", "A", "", 30)}, []policy.Secret{stored("b", "B", "", 21)}, problems{Limit: &limits.Excess{Kind: limits.EnvValueBytes, Max: 50, Would: 51}},
		},
		"above what a native Secret can take there is none, each secret counted as it is stored": {
			[]policy.Change{creation("a", "", "~/a", 0)}, []policy.Secret{{Use: limits.Use{FilesBundle: limits.MaxBundleBytes - 69}}},
			problems{Limit: &limits.Excess{Kind: limits.FilesBundle, Max: 983040, Would: 983041}},
		},
		"an update to a longer variable's name needs the room that it takes": {
			[]policy.Change{update(stored("a", "A", "", 0), stored("a", "AB", "", 0))}, []policy.Secret{{Use: limits.Use{EnvBundle: limits.MaxBundleBytes - 35}}},
			problems{Limit: &limits.Excess{Kind: limits.EnvBundle, Max: 983040, Would: 983041}},
		},
		"the parts of one import add up": {
			[]policy.Change{creation("a", "", "", 60), creation("b", "", "", 41)}, nil, problems{Limit: &limits.Excess{Kind: limits.ValueBytes, Max: 100, Would: 101}},
		},
		"an update's own old size does not count": {
			[]policy.Change{update(stored("a", "", "", 90), stored("a", "", "", 95))}, nil, problems{},
		},
		"above a limit that was lowered, an update that shrinks is fine": {
			[]policy.Change{update(stored("a", "A", "", 90), stored("a", "A", "", 80))}, []policy.Secret{stored("b", "", "", 90)}, problems{},
		},
		"above a limit that was lowered, an update that stays is fine": {
			[]policy.Change{update(stored("a", "A", "", 90), stored("a", "B", "", 90))}, []policy.Secret{stored("b", "", "", 90)}, problems{},
		},
		"above a limit that was lowered, an update that grows is not": {
			[]policy.Change{update(stored("a", "", "", 90), stored("a", "", "", 91))}, []policy.Secret{stored("b", "", "", 90)},
			problems{Limit: &limits.Excess{Kind: limits.ValueBytes, Max: 100, Would: 181}},
		},
		"a value that becomes a variable grows": {
			[]policy.Change{update(stored("a", "", "", 60), stored("a", "A", "", 60))}, nil,
			problems{Limit: &limits.Excess{Kind: limits.EnvValueBytes, Max: 50, Would: 60}},
		},
		"an object that lost a claim does not count toward the limits": {
			[]policy.Change{creation("a", "", "", 0)}, []policy.Secret{stored("b", "X", "", 1), stored("c", "X", "", 1), stored("d", "X", "", 1)}, problems{},
		},
		"a conflict and a limit are both told": {
			[]policy.Change{creation("a", "", "", 101)}, []policy.Secret{stored("a", "", "", 0)},
			problems{Conflicts: []conflict{{0, v1alpha1.ClaimName, "a"}}, Limit: &limits.Excess{Kind: limits.ValueBytes, Max: 100, Would: 101}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			verdict := policy.Judge(tt.changes, tt.others, tight.Check)
			got := problems{Limit: verdict.Excess}
			for _, c := range verdict.Conflicts {
				got.Conflicts = append(got.Conflicts, conflict{c.Index, c.Claim.Kind, c.Holder})
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("verdict (-want +got):\n%s", diff)
			}
		})
	}
}

func TestJudge_AgentsThatShareAVariable_CountTowardTheLimits(t *testing.T) {
	agent := func(path ...string) policy.Secret {
		name := strings.Join(path, ".")
		return bundle.OfAgent(&v1alpha1.AgentSecret{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name)}, Spec: v1alpha1.AgentSecretSpec{Path: path}})
	}
	limit := limits.Agent{Secrets: 2, ValueBytes: 1, TotalValueBytes: 1}
	verdict := policy.Judge([]policy.Change{{Secret: agent("a", "bC")}}, []policy.Secret{agent("a", "b", "c"), agent("aB", "c")}, limit.Check)
	if diff := cmp.Diff(&limits.Excess{Kind: limits.Count, Max: 2, Would: 3}, verdict.Excess); diff != "" {
		t.Errorf("excess (-want +got):\n%s", diff)
	}
}
