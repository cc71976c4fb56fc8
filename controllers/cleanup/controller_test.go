// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package cleanup

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	testingclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func secret(name string, age time.Duration, annotations map[string]string) *v1alpha1.UserSecret {
	return &v1alpha1.UserSecret{ObjectMeta: metav1.ObjectMeta{
		Namespace: "alice", Name: name, CreationTimestamp: metav1.Time{Time: noon.Add(-age)}, Annotations: annotations,
	}}
}

// world runs the controller over some objects, with a clock that stands still.
type world struct {
	api   client.WithWatch
	clock *testingclock.FakeClock
	lists atomic.Int64
	// broken is the answer to lists, if any.
	broken atomic.Pointer[error]
}

func start(t *testing.T, objects ...client.Object) *world {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	w := &world{clock: testingclock.NewFakeClock(noon)}
	w.api = fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithInterceptorFuncs(interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
			w.lists.Add(1)
			if err := w.broken.Load(); err != nil {
				return *err
			}
			return c.List(ctx, list, opts...)
		},
	}).Build()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- (&Controller{Client: w.api, Clock: w.clock}).Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Start = %v when it was told to end, want nil", err)
		}
	})
	until(t, "it waits", w.clock.HasWaiters)
	return w
}

// until polls for what the controller does by itself.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for !is() {
		select {
		case <-ctx.Done():
			t.Fatalf("never: %s", what)
		case <-ticker.C:
		}
	}
}

// left returns the objects that are there, with their annotations.
func (w *world) left(t *testing.T) map[string]map[string]string {
	t.Helper()
	out := map[string]map[string]string{}
	for name := range maps.Keys(everything) {
		u := &v1alpha1.UserSecret{}
		err := w.api.Get(context.Background(), client.ObjectKey{Namespace: "alice", Name: name}, u)
		if client.IgnoreNotFound(err) != nil {
			t.Fatal(err)
		}
		if err == nil {
			out[name] = maps.Clone(u.Annotations)
		}
	}
	return out
}

// everything is what replicas that died an hour ago, and a moment ago, left behind.
var everything = map[string]*v1alpha1.UserSecret{
	"plain":       secret("plain", time.Hour, map[string]string{"theirs": "stays"}),
	"half":        secret("half", time.Hour, map[string]string{v1alpha1.AnnotationPending: "1"}),
	"mark":        secret("mark", time.Hour, map[string]string{v1alpha1.AnnotationCommitted: "2"}),
	"whole":       secret("whole", time.Hour, map[string]string{v1alpha1.AnnotationPending: "2", "theirs": "stays"}),
	"under-way":   secret("under-way", time.Minute, map[string]string{v1alpha1.AnnotationPending: "3"}),
	"under-way-2": secret("under-way-2", time.Minute, map[string]string{v1alpha1.AnnotationCommitted: "4"}),
}

func leftBehind() []client.Object {
	var out []client.Object
	for _, name := range slices.Sorted(maps.Keys(everything)) {
		out = append(out, everything[name].DeepCopy())
	}
	return out
}

func TestWhatDeadReplicasLeftIsClearedUp(t *testing.T) {
	w := start(t, leftBehind()...)
	if n := w.lists.Load(); n != 0 {
		t.Errorf("%d looks at once, want none: an import may be under way", n)
	}
	w.clock.Step(interval)
	want := map[string]map[string]string{
		"plain":       {"theirs": "stays"},
		"mark":        nil,
		"whole":       {"theirs": "stays"},
		"under-way":   {v1alpha1.AnnotationPending: "3"},
		"under-way-2": {v1alpha1.AnnotationCommitted: "4"},
	}
	until(t, "what is whole is finished and what is half is gone", func() bool { return cmp.Equal(want, w.left(t)) })
	w.clock.Step(10 * time.Minute)
	delete(want, "under-way")
	want["under-way-2"] = nil
	until(t, "what was under way has had its time", func() bool { return cmp.Equal(want, w.left(t)) })
}

func TestARoundThatFailsIsNotTheLast(t *testing.T) {
	w := start(t, leftBehind()...)
	broken := errors.New("no cache")
	w.broken.Store(&broken)
	w.clock.Step(interval)
	until(t, "it looks", func() bool { return w.lists.Load() == 1 })
	w.broken.Store(nil)
	w.clock.Step(interval)
	until(t, "it looks again", func() bool { _, there := w.left(t)["half"]; return !there })
}

func TestItRunsOnTheLeaderOnly(t *testing.T) {
	if !(&Controller{}).NeedLeaderElection() {
		t.Error("it would run on every replica")
	}
}
