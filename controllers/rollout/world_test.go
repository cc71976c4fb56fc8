// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/controllers/rollout"
	"github.com/latchkey-dev/latchkey/internal/digest"
)

const (
	delay   = 5 * time.Second
	timeout = 2 * time.Minute
)

// own is Latchkey's namespace.
const own = "latchkey-system"

// noon is when every test begins; workloads are older.
var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// world is a cluster with a controller.
type world struct {
	t     *testing.T
	api   client.WithWatch
	clock *clocktesting.FakePassiveClock
	max   int
	// interval is the least time between two restarts of one workload.
	interval time.Duration
	patches  int
	// records counts writes of the record.
	records int
	// woken is the queue of those whose turn it is.
	woken []rollout.Workload
	// reads counts those of whole workloads.
	reads  int
	events []string
	// refuse, where set, reports whether a patch is refused.
	refuse func(client.Object) bool
	// before runs before a patch reaches the API.
	before func(client.Object)
	*rollout.Reconciler
}

func newWorld(t *testing.T, objects ...client.Object) *world {
	t.Helper()
	w := &world{t: t, clock: clocktesting.NewFakePassiveClock(noon), max: 5}
	w.api = fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).WithObjects(objects...).
		WithInterceptorFuncs(interceptor.Funcs{Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
			if _, whole := obj.(*appsv1.Deployment); whole {
				w.reads++
			}
			return c.Get(ctx, key, obj, opts...)
		}, Create: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.CreateOption) error {
			w.countRecord(obj)
			return c.Create(ctx, obj, opts...)
		}, Update: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.UpdateOption) error {
			w.countRecord(obj)
			return c.Update(ctx, obj, opts...)
		}, Patch: func(ctx context.Context, c client.WithWatch, obj client.Object, p client.Patch, opts ...client.PatchOption) error {
			w.patches++
			if w.before != nil {
				w.before(obj)
			}
			if w.refuse != nil && w.refuse(obj) {
				return errors.New("refused")
			}
			return c.Patch(ctx, obj, p, opts...)
		}}).Build()
	w.restart()
	return w
}

// restart replaces the controller by one that remembers nothing.
func (w *world) restart() {
	w.woken = nil
	key, ok := digest.NewKey(make([]byte, digest.KeyLen))
	if !ok {
		panic("a key of the right length is refused")
	}
	w.Reconciler = &rollout.Reconciler{
		DigestKey: key,
		Bundles:   w.api, Workloads: w.api, Live: w.api, Events: w, Clock: w.clock, Namespace: own,
		Wake:    func(one rollout.Workload) { w.woken = append(w.woken, one) },
		Options: rollout.Options{Enabled: true, Delay: delay, MinInterval: w.interval, MaxConcurrent: w.max, Timeout: timeout},
	}
}

func (w *world) countRecord(obj client.Object) {
	if _, is := obj.(*corev1.ConfigMap); is {
		w.records++
	}
}

// Eventf is the event recorder.
func (w *world) Eventf(regarding, _ runtime.Object, eventtype, reason, action, note string, args ...any) {
	w.events = append(w.events, fmt.Sprintf("%T %s %s %s", regarding, eventtype, reason, action))
	_ = fmt.Sprintf(note, args...)
}

func (w *world) pass(d time.Duration) { w.clock.SetTime(w.clock.Now().Add(d)) }

// look reconciles a workload once, and those whose turn it is then. It returns when
// that one is to be looked at again, at the latest with the next turn.
func (w *world) look(of rollout.Workload) (wait time.Duration) {
	w.t.Helper()
	w.woken = append(w.woken, of)
	for len(w.woken) > 0 {
		next := w.woken[0]
		w.woken = w.woken[1:]
		result, err := w.Reconcile(context.Background(), next)
		if err != nil {
			w.t.Fatalf("reconcile %v: %v", next, err)
		}
		switch next {
		case of:
			wait = result.RequeueAfter
		case rollout.Workload{}:
			wait = max(wait, result.RequeueAfter)
		}
	}
	return wait
}

// turn reconciles those whose turn it is.
func (w *world) turn() {
	w.t.Helper()
	w.look(rollout.Workload{})
}

// settle reconciles for as long as the reconciler asks for, with the clock running.
func (w *world) settle(of ...rollout.Workload) {
	w.t.Helper()
	for range 20 {
		var wait time.Duration
		for _, one := range of {
			wait = max(wait, w.look(one))
		}
		if wait == 0 {
			return
		}
		w.pass(wait)
	}
	w.t.Fatal("the reconciler never comes to rest")
}

// content makes the bundles of a namespace have a content.
func (w *world) content(namespace, mac string) {
	w.t.Helper()
	b := bundle(namespace, mac)
	err := w.api.Update(context.Background(), b)
	if err != nil {
		err = w.api.Create(context.Background(), b)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) get(of rollout.Workload) *appsv1.Deployment {
	w.t.Helper()
	d := &appsv1.Deployment{}
	if err := w.api.Get(context.Background(), client.ObjectKey{Namespace: of.Namespace, Name: of.Name}, d); err != nil {
		w.t.Fatal(err)
	}
	return d
}

// edit changes a workload as its owner does.
func (w *world) edit(of rollout.Workload, change func(*appsv1.Deployment)) {
	w.t.Helper()
	d := w.get(of)
	change(d)
	if err := w.api.Update(context.Background(), d); err != nil {
		w.t.Fatal(err)
	}
}

// finish makes the rollout of a workload succeed.
func (w *world) finish(of rollout.Workload) {
	w.t.Helper()
	d := w.get(of)
	d.Status = appsv1.DeploymentStatus{ObservedGeneration: d.Generation, Replicas: 1, UpdatedReplicas: 1, AvailableReplicas: 1}
	if err := w.api.Status().Update(context.Background(), d); err != nil {
		w.t.Fatal(err)
	}
}

// hash is what the pod template carries: it changes exactly when the workload rolls.
func (w *world) hash(of rollout.Workload) string {
	w.t.Helper()
	return w.get(of).Spec.Template.Annotations[rollout.AnnotationContentHash]
}

func bundle(namespace, mac string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: v1alpha1.BundleUserEnv,
			Labels:      map[string]string{v1alpha1.LabelBundle: "user"},
			Annotations: map[string]string{v1alpha1.AnnotationMAC: mac},
		},
		Type: v1alpha1.SecretTypeBundle,
	}
}

func meta(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace: namespace, Name: name, UID: types.UID(namespace + "/" + name),
		CreationTimestamp: metav1.Time{Time: noon.Add(-time.Hour)},
		Annotations:       map[string]string{rollout.AnnotationRestart: "true", "theirs": "stays"},
	}
}

// deployment returns one that opts in, and its name as the reconciler knows it.
func deployment(namespace, name string) (*appsv1.Deployment, rollout.Workload) {
	return &appsv1.Deployment{ObjectMeta: meta(namespace, name)}, rollout.Workload{Kind: "Deployment", Namespace: namespace, Name: name}
}
