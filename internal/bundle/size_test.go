// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/policy/limits"
)

func TestSizeOf(t *testing.T) {
	for name, tt := range map[string]struct {
		sealed string
		want   int
	}{
		"no value has no size":                       {"", 0},
		"an empty value has no size":                 {sealedOf(0), 0},
		"a value's size is that of its plaintext":    {sealedOf(1234), 1234},
		"a text that cannot be read counts as empty": {"plaintext in the wrong place", 0},
	} {
		t.Run(name, func(t *testing.T) {
			if got := SizeOf(tt.sealed); got != tt.want {
				t.Errorf("SizeOf = %d, want %d", got, tt.want)
			}
		})
	}
}

func TestUse_Targets_DecideWhereAValueIsCounted(t *testing.T) {
	for name, tt := range map[string]struct {
		got, want limits.Use
	}{
		"a value without a target is in no bundle": {user("a", "1").Use, limits.Use{Secrets: 1, ValueBytes: 10}},
		"a variable counts where it is": {
			user("a", "1", env("AB")).Use, limits.Use{Secrets: 1, ValueBytes: 10, EnvValueBytes: 10, EnvBundle: 10 + 2*2 + 32},
		},
		"a file counts by its key, however long its path is": {
			user("a", "1", file("~/"+strings.Repeat("x", 1000))).Use,
			limits.Use{Secrets: 1, ValueBytes: 10, FilesBundle: 10 + 2*(1+18) + 32},
		},
		"a disabled secret keeps its room": {
			user("a", "1", env("AB"), disabled).Use, limits.Use{Secrets: 1, ValueBytes: 10, EnvValueBytes: 10, EnvBundle: 46},
		},
		"an agent's value is in the files twice": {
			agent("a.b", "1").Use, limits.Use{Secrets: 1, ValueBytes: 10, EnvBundle: 10 + 2*3 + 32, FilesBundle: 10 + 2*(3+18) + 32 + 10 + 4 + 7 + 7},
		},
		"without a value, an agent's secret takes no room": {
			agent("a", "1", func(s *v1alpha1.AgentSecretSpec) { s.SealedValue = "" }).Use, limits.Use{Secrets: 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, tt.got); diff != "" {
				t.Errorf("Use (-want +got):\n%s", diff)
			}
		})
	}
}

// TestEntrySize_OfAStoredSecret_IsAnUpperBound compares what is counted with a Secret in
// the form that etcd has it in, with the list of managed fields that belongs to it.
func TestEntrySize_OfAStoredSecret_IsAnUpperBound(t *testing.T) {
	for name, tt := range map[string]struct{ n, key, value int }{
		"many short entries":     {5000, 8, 1},
		"many of the longest":    {1500, maxKey, 1},
		"a few large values":     {15, 20, 64 << 10},
		"empty values":           {5000, 12, 0},
		"one of the largest":     {1, 12, 900 << 10},
		"values of medium sizes": {300, 40, 3000},
	} {
		t.Run(name, func(t *testing.T) {
			secret := &corev1.Secret{Data: map[string][]byte{}}
			fields := map[string]any{}
			size := 0
			for i := range tt.n {
				key := fmt.Sprintf("%0*d", tt.key, i)
				secret.Data[key] = make([]byte, tt.value)
				fields["f:"+key] = map[string]any{}
				size += entrySize(tt.key, tt.value)
			}
			raw, err := json.Marshal(map[string]any{"f:data": fields})
			if err != nil {
				t.Fatal(err)
			}
			secret.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "latchkey", FieldsV1: metav1.NewFieldsV1(string(raw))}}
			if stored := secret.Size(); stored > size+1024 {
				t.Errorf("the Secret has %d bytes, above the %d that were counted", stored, size)
			}
		})
	}
}

func TestTreeSize_OfTheDocument_IsAnUpperBound(t *testing.T) {
	for name, paths := range map[string][][]string{
		"one short path":                          {{"a"}},
		"a path above another":                    {{"db"}, {"db", "password"}},
		"segments that JSON escapes in six bytes": {{strings.Repeat("\x01", 20), "\x02"}, {strings.Repeat("\x01", 20), "\x03"}},
		"paths that share nothing, deep":          {strings.Split("a.b.c.d.e.f.g.h.i.j", "."), strings.Split("k.l.m.n.o.p.q.r.s.t", ".")},
	} {
		t.Run(name, func(t *testing.T) {
			var entries []treeEntry
			bound := 0
			for _, p := range paths {
				entries = append(entries, treeEntry{Path: p, Value: []byte("1")})
				bound += treeSize(p, 1)
			}
			doc, err := tree(entries)
			if err != nil {
				t.Fatal(err)
			}
			if len(doc) > bound {
				t.Errorf("the document has %d bytes, above its bound of %d", len(doc), bound)
			}
		})
	}
}

// TestDecide_LongPaths_LoseNobodyTheirBundle holds that the length of a path takes no
// room that it does not need.
func TestDecide_LongPaths_LoseNobodyTheirBundle(t *testing.T) {
	var items []Item
	for i := range 500 {
		items = append(items, agent(fmt.Sprintf("a%03d", i), fmt.Sprint(i+1), func(s *v1alpha1.AgentSecretSpec) {
			s.FilePath = strings.Repeat("d/", 500) + s.Path[0]
		}))
	}
	for _, d := range DecideAgent(items, limits.DefaultAgent(), nil) {
		if d.Outcome.Reason != v1alpha1.ReasonProjected {
			t.Fatalf("%s is %s: %s", d.Item.Name, d.Outcome.Reason, d.Outcome.Message)
		}
	}
}

// TestDecide_ABundleIsFull_TheLastToComeAloneIsRefused holds for both kinds, whatever
// the order in which objects are read, and before a value is opened.
func TestDecide_ABundleIsFull_TheLastToComeAloneIsRefused(t *testing.T) {
	const size = 20100
	var users, agents []Item
	for i := range 49 {
		version, name := fmt.Sprint(100-i), fmt.Sprintf("n%02d", i) // the last to be read came first
		users = append(users, user(name, version, env(strings.ToUpper(name)), func(s *v1alpha1.UserSecretSpec) { s.SealedValue = sealedOf(size) }))
		if i%2 == 0 {
			agents = append(agents, agent(name, version, func(s *v1alpha1.AgentSecretSpec) { s.SealedValue = sealedOf(size) }))
		}
	}
	for name, ds := range map[string][]Decision{
		"user secrets":  DecideUser(users, wideUser, nil),
		"agent secrets": DecideAgent(agents, wideAgent, nil),
	} {
		t.Run(name, func(t *testing.T) {
			for i, d := range ds {
				want := v1alpha1.ReasonProjected
				if i == len(ds)-1 {
					want = v1alpha1.ReasonLimitExceeded
				}
				if d.Outcome.Reason != want {
					t.Errorf("%s, number %d of %d, is %s, want %s", d.Item.Name, i, len(ds), d.Outcome.Reason, want)
				}
			}
		})
	}
}
