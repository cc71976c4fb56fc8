// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundler

import (
	"context"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/bundle"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

// projected returns a cluster whose objects are in the bundle, so that its cache has briefs.
func projected(t *testing.T) (*cluster, *Reconciler) {
	t.Helper()
	c := newCluster(t)
	c.add(t, "a", canary)
	c.add(t, "b", "x")
	c.add(t, "c", "y")
	r := c.reconciler()
	if _, _, err := c.reconcile(t, r); err != nil || c.opens != 3 || c.lists != 0 {
		t.Fatalf("%v, with %d openings and %d lists; want 3 and none: what is new is in the cache", err, c.opens, c.lists)
	}
	for name, o := range c.objects {
		if text := c.asCached(o.DeepCopy()).Spec.SealedValue; !seal.IsBrief(text) {
			t.Fatalf("the cache has %.20q of %s, want a brief", text, name)
		}
	}
	if writes, _, err := c.reconcile(t, r); err != nil || len(writes)+c.opens+c.lists > 0 {
		t.Fatalf("nothing changed, and it wrote %v, %v, opened %d and listed %d times", writes, err, c.opens, c.lists)
	}
	return c, r
}

// lose takes entries out of the bundle by hand.
func (c *cluster) lose(keys ...string) {
	env := c.live[v1alpha1.BundleUserEnv].DeepCopy()
	for _, key := range keys {
		delete(env.Data, key)
	}
	c.store(env)
}

func TestReconcile_CacheHasBriefs_ReadsOneAndThenAll(t *testing.T) {
	for _, tt := range []struct {
		lost   []string
		writes []string
		lists  int
	}{
		{[]string{"A"}, []string{"patch latchkey-user-env A", "status a Projected"}, 1},
		{[]string{"A", "B", "C"}, []string{"patch latchkey-user-env A B C", "status a Projected", "status b Projected", "status c Projected"}, 2},
	} {
		c, r := projected(t)
		c.lose(tt.lost...)
		writes, _, err := c.reconcile(t, r)
		if diff := cmp.Diff(tt.writes, writes); diff != "" || err != nil || c.opens != len(tt.lost) || c.lists != tt.lists {
			t.Errorf("%v lost: %v, with %d openings and %d lists, want %d and %d; writes (-want +got):\n%s", tt.lost, err, c.opens, c.lists, len(tt.lost), tt.lists, diff)
		}
		if got := string(c.live[v1alpha1.BundleUserEnv].Data["A"]); got != canary {
			t.Errorf("the bundle has %q, want %q", got, canary)
		}
	}
}

func TestReconcile_NewGeneration_NeedsNoList(t *testing.T) {
	c, r := projected(t)
	c.objects["a"].Generation++
	c.objects["a"].Spec.EnvName = "RENAMED"
	if _, _, err := c.reconcile(t, r); err != nil || c.opens > 1 || c.lists != 0 {
		t.Errorf("%v, with %d openings and %d lists, want 1 and none", err, c.opens, c.lists)
	}
}

func TestReconcile_BriefOfAnEarlierValue_WaitsForTheCache(t *testing.T) {
	for name, change := range map[string]func(*cluster){
		"another value": func(c *cluster) { c.objects["a"].Spec.SealedValue = c.objects["b"].Spec.SealedValue },
		"no object":     func(c *cluster) { delete(c.objects, "a") },
	} {
		t.Run(name, func(t *testing.T) {
			c, r := projected(t)
			c.lose("A")
			stale, list := c.asCached(c.objects["a"].DeepCopy()), r.Adapter.List
			change(c)
			r.Adapter.List = staleList(list, stale)
			writes, result, err := c.reconcile(t, r)
			if err != nil || len(writes) > 0 || result.RequeueAfter == 0 {
				t.Errorf("wrote %v, %v, and comes again after %s; want nothing, and a look afterwards", writes, err, result.RequeueAfter)
			}
			if _, has := c.live[v1alpha1.BundleUserEnv].Data["A"]; has {
				t.Error("the bundle has a value that is no more")
			}
		})
	}
}

// staleList lists from the cache what it had of an object before.
func staleList(list listFunc, stale *v1alpha1.UserSecret) listFunc {
	return func(ctx context.Context, from client.Reader, namespace string, which ...client.ListOption) ([]Member, error) {
		members, err := list(ctx, from, namespace, which...)
		if _, live := from.(liveReader); live || err != nil {
			return members, err
		}
		members = slices.DeleteFunc(members, func(m Member) bool { return m.Item.UID == stale.UID })
		o := stale.DeepCopy()
		return append(members, Member{Object: o, Status: &o.Status, Item: bundle.UserItem(o, true)}), nil
	}
}

type listFunc = func(context.Context, client.Reader, string, ...client.ListOption) ([]Member, error)
