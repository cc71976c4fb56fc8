// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"context"
	"errors"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/latchkey-dev/latchkey/controllers/rollout"
)

// TestTakeOver tells what becomes of a Deployment that came while nobody led, in a
// namespace with the content "one", when the new leader writes the content "two"
// before it gets to look at the Deployment.
func TestTakeOver(t *testing.T) {
	web := rollout.Workload{Kind: "Deployment", Namespace: "alice", Name: "web"}
	for name, tc := range map[string]struct {
		before, after func(*world)
		wantRolls     int
	}{
		"its pods have the content from before, so it rolls": {wantRolls: 1},
		"it rolls once, however often it is looked at": {
			after: func(w *world) {
				for range 3 {
					w.settle(web)
				}
			},
			wantRolls: 1,
		},
		"what was taken back meanwhile rolls nothing": {
			after: func(w *world) { w.content("alice", "one") },
		},
		"one that asks only afterwards begins with the content that is there then": {
			before: func(w *world) {
				w.edit(web, func(d *appsv1.Deployment) { delete(d.Annotations, rollout.AnnotationRestart) })
			},
			after: func(w *world) {
				w.edit(web, func(d *appsv1.Deployment) { d.Annotations = map[string]string{rollout.AnnotationRestart: "true"} })
			},
		},
		"so does another one of the same name": {
			after: func(w *world) {
				d := w.get(web)
				if err := w.api.Delete(context.Background(), d); err != nil {
					w.t.Fatal(err)
				}
				d.UID, d.ResourceVersion = "another", ""
				if err := w.api.Create(context.Background(), d); err != nil {
					w.t.Fatal(err)
				}
			},
		},
		"so does one whose digest is removed later": {
			before: func(w *world) { w.settle(web) },
			after: func(w *world) {
				w.edit(web, func(d *appsv1.Deployment) { delete(d.Annotations, rollout.AnnotationContentHash) })
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			d, _ := deployment("alice", "web")
			w := newWorld(t, d, bundle("alice", "one"))
			for i, do := range []func(*world){tc.before, nil, tc.after} {
				if do != nil {
					do(w)
				}
				if i == 1 {
					w.restart()
					if err := w.TakeOver(t.Context()); err != nil {
						t.Fatal(err)
					}
					w.content("alice", "two")
				}
			}
			w.settle(web)
			w.settle(web) // the digest that was noted is an event
			if got := len(w.events); got != tc.wantRolls {
				t.Errorf("%d rolls, want %d", got, tc.wantRolls)
			}
			if w.get(web).Annotations[rollout.AnnotationContentHash] == "" {
				t.Error("its digest is not noted")
			}
			w.content("alice", "three")
			w.settle(web)
			if got := len(w.events); got != tc.wantRolls+1 {
				t.Errorf("%d rolls after the next change, want %d", got, tc.wantRolls+1)
			}
		})
	}
}

func TestTakeOverThatFailsIsTriedAgain(t *testing.T) {
	d, web := deployment("alice", "web")
	w := newWorld(t, d, bundle("alice", "one"))
	broken := errors.New("no workloads yet")
	lists := 0
	w.Workloads = interceptor.NewClient(w.api, interceptor.Funcs{List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
		if lists++; broken != nil {
			return broken
		}
		return c.List(ctx, list, opts...)
	}})
	if err := w.TakeOver(t.Context()); !errors.Is(err, broken) {
		t.Fatalf("TakeOver = %v, want %v", err, broken)
	}
	if _, err := w.Reconcile(t.Context(), web); !errors.Is(err, broken) {
		t.Fatalf("Reconcile = %v, want %v", err, broken)
	}
	broken = nil
	if err := w.TakeOver(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := lists
	if err := w.TakeOver(t.Context()); err != nil || lists != before {
		t.Errorf("TakeOver = %v after %d more lists, want nil and none", err, lists-before)
	}
	w.settle(web)
	if w.patches != 1 {
		t.Errorf("%d patches, want 1", w.patches)
	}
}
