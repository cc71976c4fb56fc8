// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/controllers/rollout"
)

// crowd makes n workloads in each of some namespaces, with content that has changed
// for all of them.
func crowd(t *testing.T, limit, n int, namespaces ...string) (*world, []rollout.Workload) {
	t.Helper()
	var objects []client.Object
	var all []rollout.Workload
	for _, namespace := range namespaces {
		for i := range n {
			d, w := deployment(namespace, fmt.Sprintf("web-%d", i))
			objects, all = append(objects, d), append(all, w)
		}
	}
	w := newWorld(t, objects...)
	w.max = limit
	w.restart()
	w.settle(all...)
	for _, namespace := range namespaces {
		w.content(namespace, "two")
	}
	w.lookAtAll(all)
	w.pass(delay)
	return w, all
}

// lookAtAll reconciles all and returns those that were rolled.
func (w *world) lookAtAll(all []rollout.Workload) []rollout.Workload {
	w.t.Helper()
	before := map[rollout.Workload]string{}
	for _, one := range all {
		before[one] = w.hash(one)
	}
	for _, one := range all {
		w.look(one)
	}
	w.turn()
	return slices.DeleteFunc(slices.Clone(all), func(one rollout.Workload) bool { return w.hash(one) == before[one] })
}

func TestRolloutsAtOnce(t *testing.T) {
	w, all := crowd(t, 2, 1, "a", "b", "c", "d", "e")
	for _, want := range []int{2, 2, 1} {
		rolled := w.lookAtAll(all)
		if len(rolled) != want {
			t.Fatalf("%d rollouts begin, want %d", len(rolled), want)
		}
		w.pass(time.Minute)
		if more := w.lookAtAll(all); want == 2 && len(more) != 0 {
			t.Fatalf("%v begin while 2 are under way", more)
		}
		for _, one := range rolled {
			w.finish(one)
		}
		w.pass(2 * time.Second)
	}
}

// TestWaitingIsCheap makes sure that a crowd that waits does not ask the API server
// about the same rollouts over and over.
func TestWaitingIsCheap(t *testing.T) {
	w, all := crowd(t, 2, 1, "a", "b", "c", "d", "e")
	w.look(all[0])
	w.look(all[1])
	w.pass(time.Minute)
	w.reads = 0
	for range 10 {
		for _, one := range all[2:] {
			w.look(one)
		}
	}
	if w.reads != 2 {
		t.Errorf("%d reads at one moment, want one of each rollout under way", w.reads)
	}
}

func TestRolloutsThatEndMakeRoom(t *testing.T) {
	for name, end := range map[string]func(*world, rollout.Workload){
		"it succeeded": func(w *world, of rollout.Workload) { w.finish(of) },
		"it was deleted": func(w *world, of rollout.Workload) {
			if err := w.api.Delete(context.Background(), w.get(of)); err != nil {
				w.t.Fatal(err)
			}
		},
		"it was paused": func(w *world, of rollout.Workload) { w.edit(of, func(d *appsv1.Deployment) { d.Spec.Paused = true }) },
		"it was scaled to zero": func(w *world, of rollout.Workload) {
			w.edit(of, func(d *appsv1.Deployment) { d.Spec.Replicas = new(int32(0)) })
		},
		"it did not end for long": func(w *world, _ rollout.Workload) { w.pass(timeout) },
	} {
		t.Run(name, func(t *testing.T) {
			w, all := crowd(t, 1, 1, "a", "b")
			if rolled := w.lookAtAll(all); len(rolled) != 1 || rolled[0] != all[0] {
				t.Fatalf("rolled %v, want the first", rolled)
			}
			w.pass(2 * time.Second)
			end(w, all[0])
			if rolled := w.lookAtAll(all[1:]); len(rolled) != 1 {
				t.Error("the second still waits")
			}
		})
	}
}

func TestOneTenantLeavesRoomForOthers(t *testing.T) {
	w, all := crowd(t, 3, 4, "greedy", "other")
	greedy, other := all[:4], all[4:]
	if rolled := w.lookAtAll(greedy); len(rolled) != 2 {
		t.Errorf("%d rollouts of one tenant, want all places but one", len(rolled))
	}
	if rolled := w.lookAtAll(other); len(rolled) != 1 {
		t.Errorf("%d rollouts of the other tenant, want the last place", len(rolled))
	}
}

// TestStuckTenants_Refreshing_DelayOthersByOneTimeout lets two tenants hold all places
// with workloads that never become ready and whose secrets change all the time.
func TestStuckTenants_Refreshing_DelayOthersByOneTimeout(t *testing.T) {
	w, all := crowd(t, 2, 5, "stuck-a", "stuck-b")
	w.lookAtAll(all)
	victim, web := deployment("victim", "web")
	if err := w.api.Create(context.Background(), victim); err != nil {
		t.Fatal(err)
	}
	w.settle(web)
	w.content("victim", "two")
	began := w.clock.Now()
	for i := 0; w.hash(web) == ""; i++ {
		w.content("stuck-a", fmt.Sprint("again ", i))
		w.content("stuck-b", fmt.Sprint("again ", i))
		w.lookAtAll(all)
		w.look(web)
		if waited := w.clock.Now().Sub(began); waited > timeout {
			t.Fatalf("it waits since %s, want %s at most", waited, timeout)
		}
		w.pass(time.Second)
	}
}

// TestManyWorkloadsOfOneTenant_DelayAnotherByOneTurn gives one tenant a long line.
func TestManyWorkloadsOfOneTenant_DelayAnotherByOneTurn(t *testing.T) {
	w, all := crowd(t, 3, 40, "greedy")
	w.lookAtAll(all)
	victim, web := deployment("victim", "web")
	if err := w.api.Create(context.Background(), victim); err != nil {
		t.Fatal(err)
	}
	w.settle(web)
	w.content("victim", "two")
	w.look(web)
	w.pass(delay)
	if w.look(web); w.hash(web) == "" {
		t.Error("it waits, though one place is for those that have none")
	}
}

// TestTenantWhoseWorkloadsCannotBeWritten_HoldsNoPlace refuses every patch of one
// tenant's workloads, as a policy of theirs can.
func TestTenantWhoseWorkloadsCannotBeWritten_HoldsNoPlace(t *testing.T) {
	w, all := crowd(t, 1, 1, "a", "b")
	w.refuse = func(obj client.Object) bool { return obj.GetNamespace() == "a" }
	w.woken = append(w.woken, all...)
	for len(w.woken) > 0 {
		next := w.woken[0]
		w.woken = w.woken[1:]
		if _, err := w.Reconcile(t.Context(), next); err != nil && next.Namespace != "a" {
			t.Fatal(err)
		}
	}
	w.pass(time.Second)
	if w.turn(); w.hash(all[1]) == "" {
		t.Error("the other tenant waits for a rollout that never began")
	}
}

func TestChangeDuringARolloutNeedsNoOtherPlace(t *testing.T) {
	w, all := crowd(t, 1, 1, "a", "b")
	w.lookAtAll(all)
	w.content("a", "three")
	w.look(all[0])
	w.pass(delay)
	if rolled := w.lookAtAll(all[:1]); len(rolled) != 1 {
		t.Error("a rollout that fails cannot be mended")
	}
}

func TestRolloutsOfAFormerLeaderCount(t *testing.T) {
	w, all := crowd(t, 2, 1, "a", "b", "c")
	if rolled := w.lookAtAll(all); len(rolled) != 2 {
		t.Fatalf("%d rolled, want 2", len(rolled))
	}
	w.restart()
	// The one that waits is looked at first.
	slices.Reverse(all)
	w.lookAtAll(all)
	w.pass(delay)
	if rolled := w.lookAtAll(all); len(rolled) != 0 {
		t.Errorf("a new leader starts %v beside two that are under way", rolled)
	}
	w.finish(all[1])
	w.pass(2 * time.Second)
	if rolled := w.lookAtAll(all); len(rolled) != 1 {
		t.Errorf("%d rolled after one ended, want 1", len(rolled))
	}
}
