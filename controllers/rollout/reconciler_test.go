// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/controllers/rollout"
)

// TestRolls tells stories of one Deployment in the namespace alice, which has the
// content "one" and whose digest is noted, and counts how often its template changes.
func TestRolls(t *testing.T) {
	web := rollout.Workload{Kind: "Deployment", Namespace: "alice", Name: "web"}
	for name, tc := range map[string]struct {
		story       func(*world)
		wantRolls   int
		wantPatches int // rolls, and notes without one
	}{
		"opting in rolls nothing": {func(*world) {}, 0, 0},
		"a change rolls once": {func(w *world) {
			w.content("alice", "two")
			w.settle(web)
			w.settle(web)
		}, 1, 1},
		"every change rolls once": {func(w *world) {
			for _, mac := range []string{"two", "three", "one"} {
				w.content("alice", mac)
				w.settle(web)
			}
		}, 3, 3},
		"changes in quick succession roll once": {func(w *world) {
			w.content("alice", "two")
			w.look(web)
			w.pass(delay - time.Millisecond)
			w.content("alice", "three")
			w.look(web)
			w.pass(time.Millisecond)
			w.settle(web)
		}, 1, 1},
		"a change that is taken back at once rolls nothing": {func(w *world) {
			w.content("alice", "two")
			w.look(web)
			w.content("alice", "one")
			w.settle(web)
		}, 0, 0},
		"a change that was taken back does not hasten the next": {func(w *world) {
			w.content("alice", "two")
			w.look(web)
			w.content("alice", "one")
			w.look(web)
			w.pass(delay)
			w.content("alice", "three")
			if wait := w.look(web); wait != delay {
				w.t.Errorf("the next change waits for %s, want %s", wait, delay)
			}
		}, 0, 0},
		"a restart rolls nothing": {func(w *world) {
			w.restart()
			w.settle(web)
		}, 0, 0},
		"a restart after a change rolls nothing more": {func(w *world) {
			w.content("alice", "two")
			w.settle(web)
			w.restart()
			w.settle(web)
		}, 1, 1},
		"a change while the controller was down rolls once": {func(w *world) {
			w.content("alice", "two")
			w.restart()
			w.settle(web)
		}, 1, 1},
		"a controller that ends while it waits leaves the change to the next": {func(w *world) {
			w.content("alice", "two")
			w.look(web)
			w.restart()
			w.settle(web)
		}, 1, 1},
		"the last secret's end is a change": {func(w *world) {
			if err := w.api.Delete(context.Background(), bundle("alice", "")); err != nil {
				w.t.Fatal(err)
			}
			w.settle(web)
		}, 1, 1},
		"the content of another tenant is none of its business": {func(w *world) {
			w.content("bob", "two")
			w.settle(web)
		}, 0, 0},
		"what else stands on a bundle is no content": {func(w *world) {
			b := bundle("alice", "one")
			b.Annotations["note"], b.Labels["a"] = "new", "b"
			if err := w.api.Update(context.Background(), b); err != nil {
				w.t.Fatal(err)
			}
			w.settle(web)
		}, 0, 0},
		"a Secret that only has the label is no bundle": {func(w *world) {
			b := bundle("alice", "two")
			b.Name = "foreign"
			opaque := bundle("alice", "two")
			opaque.Name, opaque.Type = v1alpha1.BundleAgentEnv, corev1.SecretTypeOpaque
			for _, s := range []*corev1.Secret{b, opaque} {
				if err := w.api.Create(context.Background(), s); err != nil {
					w.t.Fatal(err)
				}
			}
			w.settle(web)
		}, 0, 0},
		"opting out while a change waits rolls nothing": {func(w *world) {
			w.content("alice", "two")
			w.look(web)
			w.edit(web, func(d *appsv1.Deployment) { d.Annotations[rollout.AnnotationRestart] = "false" })
			w.settle(web)
		}, 0, 0},
		"opting in again catches up": {func(w *world) {
			w.edit(web, func(d *appsv1.Deployment) { delete(d.Annotations, rollout.AnnotationRestart) })
			w.content("alice", "two")
			w.settle(web)
			w.edit(web, func(d *appsv1.Deployment) { d.Annotations[rollout.AnnotationRestart] = "true" })
			w.settle(web)
		}, 1, 1},
		"an owner who removes what is not theirs is not fought": {func(w *world) {
			w.content("alice", "two")
			w.settle(web)
			for range 3 {
				w.edit(web, func(d *appsv1.Deployment) {
					delete(d.Annotations, rollout.AnnotationContentHash)
					d.Spec.Template.Annotations = nil
				})
				w.settle(web)
			}
		}, 1, 1},
		"an owner who removes what is not theirs still gets the next change": {func(w *world) {
			w.edit(web, func(d *appsv1.Deployment) { delete(d.Annotations, rollout.AnnotationContentHash) })
			w.settle(web)
			w.content("alice", "two")
			w.settle(web)
		}, 1, 1},
		"where only the template's digest is left, it counts": {func(w *world) {
			w.content("alice", "two")
			w.settle(web)
			w.edit(web, func(d *appsv1.Deployment) { delete(d.Annotations, rollout.AnnotationContentHash) })
			w.content("alice", "three")
			w.restart()
			w.settle(web)
		}, 2, 2},
		"an undo that brings an older digest back is noted and rolls nothing more": {func(w *world) {
			old := w.get(web)
			w.content("alice", "two")
			w.settle(web)
			w.edit(web, func(d *appsv1.Deployment) { d.Annotations, d.Spec.Template = old.Annotations, old.Spec.Template })
			w.settle(web)
			w.restart()
			w.settle(web)
		}, 1, 2},
		"an older digest beside a template that is right is noted": {func(w *world) {
			old := w.get(web)
			w.content("alice", "two")
			w.settle(web)
			w.edit(web, func(d *appsv1.Deployment) { d.Annotations = old.Annotations })
			w.restart()
			w.settle(web)
		}, 1, 2},
		"another workload of the same name begins again": {func(w *world) {
			w.content("alice", "two")
			w.settle(web)
			if err := w.api.Delete(context.Background(), w.get(web)); err != nil {
				w.t.Fatal(err)
			}
			d, _ := deployment("alice", "web")
			d.UID = "another"
			if err := w.api.Create(context.Background(), d); err != nil {
				w.t.Fatal(err)
			}
			w.settle(web)
			if w.get(web).Annotations[rollout.AnnotationContentHash] == "" {
				w.t.Error("its digest is not noted")
			}
		}, 1, 2},
		"a workload that changes at the same moment is read again": {func(w *world) {
			w.before = func(client.Object) {
				w.before = nil
				w.edit(web, func(d *appsv1.Deployment) { d.Spec.Paused = true })
			}
			w.content("alice", "two")
			w.settle(web)
			if !w.get(web).Spec.Paused {
				w.t.Error("the owner's change is lost")
			}
		}, 1, 2},
		"a workload that opts out at the same moment is left alone": {func(w *world) {
			w.before = func(client.Object) {
				w.edit(web, func(d *appsv1.Deployment) { delete(d.Annotations, rollout.AnnotationRestart) })
			}
			w.content("alice", "two")
			w.settle(web)
		}, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			d, _ := deployment("alice", "web")
			w := newWorld(t, d, bundle("alice", "one"))
			w.settle(web)
			if w.patches != 1 || w.get(web).Annotations[rollout.AnnotationContentHash] == "" || w.hash(web) != "" {
				t.Fatalf("after %d patches, the digest is not noted on the workload alone: %v", w.patches, w.get(web))
			}
			w.patches = 0
			tc.story(w)
			if got := len(w.events); got != tc.wantRolls {
				t.Errorf("%d rolls, want %d", got, tc.wantRolls)
			}
			if w.patches != tc.wantPatches {
				t.Errorf("%d patches, want %d", w.patches, tc.wantPatches)
			}
			if got := w.get(web).Annotations["theirs"]; got != "stays" {
				t.Errorf("the owner's annotation is %q", got)
			}
		})
	}
}

func TestRolledWorkload(t *testing.T) {
	for kind, object := range map[string]client.Object{
		"Deployment":  &appsv1.Deployment{ObjectMeta: meta("alice", "web")},
		"StatefulSet": &appsv1.StatefulSet{ObjectMeta: meta("alice", "web")},
		"DaemonSet":   &appsv1.DaemonSet{ObjectMeta: meta("alice", "web")},
	} {
		t.Run(kind, func(t *testing.T) {
			web := rollout.Workload{Kind: kind, Namespace: "alice", Name: "web"}
			w := newWorld(t, object)
			w.settle(web)
			w.content("alice", "one")
			w.settle(web)
			if err := w.api.Get(context.Background(), client.ObjectKeyFromObject(object), object); err != nil {
				t.Fatal(err)
			}
			var template corev1.PodTemplateSpec
			switch o := object.(type) {
			case *appsv1.Deployment:
				template = o.Spec.Template
			case *appsv1.StatefulSet:
				template = o.Spec.Template
			case *appsv1.DaemonSet:
				template = o.Spec.Template
			}
			got := object.GetAnnotations()
			hash := got[rollout.AnnotationContentHash]
			want := map[string]string{
				rollout.AnnotationRestart: "true", "theirs": "stays",
				rollout.AnnotationContentHash: hash,
				rollout.AnnotationRolledAt:    noon.Add(delay).Format(time.RFC3339),
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("annotations (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(map[string]string{rollout.AnnotationContentHash: hash}, template.Annotations); diff != "" || len(hash) != 43 {
				t.Errorf("digest %q, annotations of the template (-want +got):\n%s", hash, diff)
			}
			wantEvents := []string{"*v1." + kind + " Normal ContentChanged Restart"}
			if diff := cmp.Diff(wantEvents, w.events); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNewWorkloadWaitsForItsBundles(t *testing.T) {
	d, web := deployment("alice", "web")
	d.CreationTimestamp = metav1.Time{Time: noon}
	w := newWorld(t, d)
	if wait := w.look(web); wait != time.Second || w.patches != 0 {
		t.Fatalf("waits for %s after %d patches, want 1s and none", wait, w.patches)
	}
	// From the same manifest, written a moment later.
	w.content("alice", "one")
	w.settle(web)
	if len(w.events) != 0 || w.patches != 1 {
		t.Errorf("%d rolls, %d patches, want none and 1", len(w.events), w.patches)
	}
	future, other := deployment("alice", "other")
	future.CreationTimestamp = metav1.Time{Time: noon.Add(time.Hour)}
	if err := w.api.Create(context.Background(), future); err != nil {
		t.Fatal(err)
	}
	if wait := w.look(other); wait != 0 {
		t.Errorf("where clocks differ, a workload waits for %s, want 0", wait)
	}
}

// A StatefulSet whose pods come up changes every moment: its first digest may be written
// only when the bundles have changed already, and is still that of what its pods have.
func TestFirstDigestThatIsWrittenLate(t *testing.T) {
	for name, refused := range map[string]int{"after a conflict": 1, "after many": 5} {
		t.Run(name, func(t *testing.T) {
			d, web := deployment("alice", "web")
			w := newWorld(t, d, bundle("alice", "one"))
			w.before = func(client.Object) {
				if w.patches <= refused {
					w.edit(web, func(d *appsv1.Deployment) { d.Labels = map[string]string{"edit": strconv.Itoa(w.patches)} })
					w.content("alice", "two")
				}
			}
			if wait := w.look(web); wait == 0 || wait > 200*time.Millisecond {
				t.Errorf("it is looked at again after %s, want a moment", wait)
			}
			w.settle(web)
			w.settle(web) // the digest that was noted is an event
			if w.hash(web) == "" || len(w.events) != 1 || w.patches != refused+2 {
				t.Errorf("%d rolls, %d patches, want 1 and %d: the change is missed", len(w.events), w.patches, refused+2)
			}
		})
	}
}

func TestCacheThatIsBehind(t *testing.T) {
	for name, change := range map[string]func(*world, rollout.Workload){
		"it has opted out": func(w *world, web rollout.Workload) {
			w.edit(web, func(d *appsv1.Deployment) { delete(d.Annotations, rollout.AnnotationRestart) })
		},
		"it is another of the same name": func(w *world, web rollout.Workload) {
			old := w.get(web)
			if err := w.api.Delete(context.Background(), old); err != nil {
				w.t.Fatal(err)
			}
			old.UID, old.ResourceVersion = "another", ""
			if err := w.api.Create(context.Background(), old); err != nil {
				w.t.Fatal(err)
			}
		},
		"it is gone": func(w *world, web rollout.Workload) {
			if err := w.api.Delete(context.Background(), w.get(web)); err != nil {
				w.t.Fatal(err)
			}
		},
		"another controller has rolled it": func(w *world, web rollout.Workload) {
			other := *w
			other.restart()
			other.settle(web)
			w.patches, w.events = 0, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			d, web := deployment("alice", "web")
			w := newWorld(t, d)
			w.settle(web)
			w.content("alice", "one")
			w.Workloads = fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).WithObjects(w.get(web)).Build()
			change(w, web)
			w.patches = 0
			w.settle(web)
			if w.patches != 0 || len(w.events) != 0 {
				t.Errorf("%d patches, events %v, want none", w.patches, w.events)
			}
		})
	}
}

func TestWorkloadsThatDidNotAskAreLeftAlone(t *testing.T) {
	for name, change := range map[string]func(*appsv1.Deployment){
		"no annotation": func(d *appsv1.Deployment) { d.Annotations = nil },
		"another value": func(d *appsv1.Deployment) { d.Annotations[rollout.AnnotationRestart] = "yes" },
		"it is being ended": func(d *appsv1.Deployment) {
			d.DeletionTimestamp, d.Finalizers = &metav1.Time{Time: noon}, []string{"a/b"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			d, web := deployment("alice", "web")
			change(d)
			w := newWorld(t, d)
			w.settle(web)
			w.content("alice", "one")
			w.settle(web)
			if w.patches != 0 {
				t.Errorf("%d patches, want none", w.patches)
			}
		})
	}
}
