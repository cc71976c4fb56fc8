// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/latchkey-dev/latchkey/controllers/rollout"
)

// TestMinInterval tells stories of one Deployment that was just rolled to the content
// "two", and may not be rolled again for a minute.
func TestMinInterval(t *testing.T) {
	web := rollout.Workload{Kind: "Deployment", Namespace: "alice", Name: "web"}
	for name, tc := range map[string]struct {
		story func(*world)
		// within a minute, and once it has passed.
		wantSoon, wantLater int
	}{
		"nothing changes": {func(*world) {}, 0, 0},
		"many changes, of which the last arrives": {func(w *world) {
			for i := range 5 {
				w.content("alice", fmt.Sprint("content ", i))
				w.look(web)
				w.pass(6 * time.Second)
				w.look(web)
			}
		}, 0, 1},
		"a change is taken back before it is time": {func(w *world) {
			w.content("alice", "three")
			w.look(web)
			w.pass(10 * time.Second)
			w.content("alice", "two")
		}, 0, 0},
		"another leader takes over": {func(w *world) {
			w.restart()
			w.content("alice", "three")
		}, 0, 1},
		"its owner stops asking for a moment": {func(w *world) {
			w.edit(web, func(d *appsv1.Deployment) { delete(d.Annotations, rollout.AnnotationRestart) })
			w.look(web)
			w.content("alice", "three")
			w.edit(web, func(d *appsv1.Deployment) { d.Annotations[rollout.AnnotationRestart] = "true" })
		}, 0, 1},
		"its owner says that it was never rolled": {func(w *world) {
			w.content("alice", "three")
			w.edit(web, func(d *appsv1.Deployment) { delete(d.Annotations, rollout.AnnotationRolledAt) })
		}, 0, 1},
		"its owner says that it was rolled in 2099": {func(w *world) {
			w.content("alice", "three")
			w.edit(web, func(d *appsv1.Deployment) { d.Annotations[rollout.AnnotationRolledAt] = "2099-01-01T00:00:00Z" })
		}, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			d, _ := deployment("alice", "web")
			w := newWorld(t, d, bundle("alice", "one"))
			w.interval = time.Minute
			w.restart()
			w.settle(web)
			w.content("alice", "two")
			w.settle(web)
			w.finish(web)
			if w.hash(web) == "" || len(w.events) != 1 {
				t.Fatal("it was not rolled")
			}
			rolledAt, began := w.clock.Now(), len(w.events)
			tc.story(w)
			for w.clock.Now().Before(rolledAt.Add(time.Minute - time.Second)) {
				w.look(web)
				w.pass(time.Second)
			}
			w.look(web)
			if got := len(w.events) - began; got != tc.wantSoon {
				t.Errorf("%d rolls within a minute, want %d", got, tc.wantSoon)
			}
			w.settle(web)
			if got := len(w.events) - began; got != tc.wantLater {
				t.Errorf("%d rolls afterwards, want %d", got, tc.wantLater)
			}
			if wait := w.look(web); wait != 0 {
				t.Errorf("it is looked at again after %s, want never", wait)
			}
		})
	}
}

// The first change is not delayed for those that were never restarted.
func TestMinInterval_FirstChange_OnlyTheDelay(t *testing.T) {
	d, web := deployment("alice", "web")
	w := newWorld(t, d, bundle("alice", "one"))
	w.interval = time.Hour
	w.restart()
	w.settle(web)
	w.content("alice", "two")
	if wait := w.look(web); wait != delay {
		t.Errorf("waits for %s, want %s", wait, delay)
	}
	w.pass(delay)
	w.look(web)
	if len(w.events) != 1 {
		t.Errorf("%d rolls, want 1", len(w.events))
	}
	if err := w.api.Delete(context.Background(), w.get(web)); err != nil {
		t.Fatal(err)
	}
	w.settle(web)
}
