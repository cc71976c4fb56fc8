// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
)

func TestReduce(t *testing.T) {
	created, deleted := metav1.Time{Time: time.Unix(1, 0)}, metav1.Time{Time: time.Unix(2, 0)}
	got, err := reduce(&metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
		Namespace: "n", Name: "w", UID: "u", ResourceVersion: "7", Generation: 3, CreationTimestamp: created, DeletionTimestamp: &deleted,
		Labels: map[string]string{"a": "b"}, Finalizers: []string{"f"}, OwnerReferences: []metav1.OwnerReference{{Name: "o"}},
		ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "m"}},
		Annotations:   map[string]string{AnnotationRestart: "true", AnnotationContentHash: "h", AnnotationRolledAt: "r", "large": "x"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
		Namespace: "n", Name: "w", UID: "u", ResourceVersion: "7", CreationTimestamp: created, DeletionTimestamp: &deleted,
		Annotations: map[string]string{AnnotationRestart: "true", AnnotationContentHash: "h"},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("reduced (-want +got):\n%s", diff)
	}
}

// taken empties a queue.
func taken(q queue) []Workload {
	var out []Workload
	for q.Len() > 0 {
		w, _ := q.Get()
		q.Done(w)
		out = append(out, w)
	}
	return out
}

func newQueue() queue {
	return workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[Workload]())
}

func TestWorkloadEvents(t *testing.T) {
	type object = *metav1.PartialObjectMetadata
	with := func(uid, version string, pairs ...string) object {
		m := meta(daemonSet)
		m.Namespace, m.Name, m.UID, m.ResourceVersion = "n", "w", "u", version
		for i := 0; i < len(pairs); i += 2 {
			metav1.SetMetaDataAnnotation(&m.ObjectMeta, pairs[i], pairs[i+1])
		}
		if uid != "" {
			m.UID = "another"
		}
		return m
	}
	handler := workloadEvents(daemonSet)
	update := func(was, is object) func(queue) {
		return func(q queue) {
			handler.Update(context.Background(), event.TypedUpdateEvent[object]{ObjectOld: was, ObjectNew: is}, q)
		}
	}
	asks := []string{AnnotationRestart, "true"}
	for name, tc := range map[string]struct {
		happens func(queue)
		want    bool
	}{
		"one that asks is created": {func(q queue) {
			handler.Create(context.Background(), event.TypedCreateEvent[object]{Object: with("", "1", asks...)}, q)
		}, true},
		"one that does not ask is created": {func(q queue) {
			handler.Create(context.Background(), event.TypedCreateEvent[object]{Object: with("", "1")}, q)
		}, false},
		"one that asks is deleted": {func(q queue) {
			handler.Delete(context.Background(), event.TypedDeleteEvent[object]{Object: with("", "1", asks...)}, q)
		}, true},
		"it opts in":                             {update(with("", "1"), with("", "2", asks...)), true},
		"it opts out":                            {update(with("", "1", asks...), with("", "2")), true},
		"its digest is removed":                  {update(with("", "1", append(asks, AnnotationContentHash, "h")...), with("", "2", asks...)), true},
		"its status changes":                     {update(with("", "1", asks...), with("", "2", asks...)), false},
		"it is replaced unnoticed":               {update(with("", "1", asks...), with("another", "2", asks...)), true},
		"one that does not ask has a new status": {update(with("", "1"), with("", "2")), false},
	} {
		t.Run(name, func(t *testing.T) {
			q := newQueue()
			defer q.ShutDown()
			tc.happens(q)
			var want []Workload
			if tc.want {
				want = []Workload{{Kind: daemonSet, Namespace: "n", Name: "w"}}
			}
			if diff := cmp.Diff(want, taken(q)); diff != "" {
				t.Errorf("enqueued (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBundleEvents(t *testing.T) {
	bundle := func(mac, label string) client.Object {
		return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
			Namespace: "n", Name: v1alpha1.BundleUserEnv,
			Annotations: map[string]string{v1alpha1.AnnotationMAC: mac}, Labels: map[string]string{"l": label},
		}}
	}
	objects := fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme)
	for _, kind := range kinds {
		for _, namespace := range []string{"n", "other"} {
			w := Workload{Kind: kind, Namespace: namespace, Name: "asks"}
			asks := w.object()
			asks.SetNamespace(namespace)
			asks.SetName("asks")
			asks.SetAnnotations(map[string]string{AnnotationRestart: "true"})
			silent := w.object()
			silent.SetNamespace(namespace)
			silent.SetName("silent")
			objects.WithObjects(asks, silent)
		}
	}
	r := &Reconciler{Workloads: objects.Build()}
	handler := bundleEvents(r.ofTenant)
	for name, tc := range map[string]struct {
		happens func(queue)
		want    bool
	}{
		"it is created": {func(q queue) {
			handler.Create(context.Background(), event.CreateEvent{Object: bundle("1", "")}, q)
		}, true},
		"it is deleted": {func(q queue) {
			handler.Delete(context.Background(), event.DeleteEvent{Object: bundle("1", "")}, q)
		}, true},
		"its content changes": {func(q queue) {
			handler.Update(context.Background(), event.UpdateEvent{ObjectOld: bundle("1", ""), ObjectNew: bundle("2", "")}, q)
		}, true},
		"something else on it changes": {func(q queue) {
			handler.Update(context.Background(), event.UpdateEvent{ObjectOld: bundle("1", ""), ObjectNew: bundle("1", "x")}, q)
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			q := newQueue()
			defer q.ShutDown()
			tc.happens(q)
			var want []Workload
			if tc.want {
				for _, kind := range kinds {
					want = append(want, Workload{Kind: kind, Namespace: "n", Name: "asks"})
				}
			}
			if diff := cmp.Diff(want, taken(q)); diff != "" {
				t.Errorf("enqueued (-want +got):\n%s", diff)
			}
		})
	}
}
