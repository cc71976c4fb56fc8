// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package aggregation_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	clocktesting "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/latchkey-dev/latchkey/controllers/aggregation"
)

const (
	system = "latchkey-system"
	after  = 5 * time.Second
	coder  = "v2.coder.latchkey.dev"
	golem  = "v1.golem.latchkey.dev"
)

// TestUnregisters tells stories of a cluster with both APIs and one server that is ready,
// and looks at which APIs are there in the end.
func TestUnregisters(t *testing.T) {
	both := []string{coder, golem}
	down := func(w *world) {
		w.ready(false)
		w.look()
		w.pass(after)
		w.look()
	}
	for name, tc := range map[string]struct {
		story func(*world)
		want  []string
	}{
		"a server that is ready": {func(w *world) { w.look() }, both},
		"no server, for a moment": {func(w *world) {
			w.ready(false)
			w.look()
			w.pass(after - time.Millisecond)
			w.look()
		}, both},
		"no server, for too long": {down, nil},
		"no server now and then": {func(w *world) {
			for range 3 {
				w.ready(false)
				w.look()
				w.pass(after - time.Millisecond)
				w.look()
				w.ready(true)
				w.look()
			}
			w.ready(false)
			w.look()
		}, both},
		"a server again": {func(w *world) {
			down(w)
			w.ready(true)
			w.look()
		}, both},
		"a server again, and a controller that remembers nothing": {func(w *world) {
			down(w)
			w.restart()
			w.ready(true)
			w.look()
		}, both},
		"manifests applied while there is no server": {func(w *world) {
			down(w)
			w.create(apiService(coder, "latchkey-server"))
			w.pass(after)
			w.look()
		}, nil},
		"manifests applied while there is no server, and then a server": {func(w *world) {
			down(w)
			w.create(apiService(coder, "latchkey-server"))
			w.ready(true)
			w.look()
		}, both},
		"an API that was never installed does not come": {func(w *world) {
			w.delete(apiService(golem, ""))
			down(w)
			w.ready(true)
			w.look()
		}, []string{coder}},
		"an API that leads elsewhere is not ours": {func(w *world) {
			w.delete(apiService(golem, ""))
			w.create(apiService(golem, "other"))
			down(w)
		}, []string{golem}},
		"what was put back is not put back again": {func(w *world) {
			down(w)
			w.ready(true)
			w.look()
			w.delete(apiService(golem, ""))
			w.look()
		}, []string{coder}},
		"nobody knows of servers": {func(w *world) {
			w.delete(slice(false))
			w.look()
			w.pass(time.Hour)
			w.look()
		}, both},
		"unregistering is switched off": {func(w *world) {
			w.After = 0
			down(w)
			w.pass(time.Hour)
			w.look()
		}, both},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			tc.story(w)
			if diff := cmp.Diff(tc.want, w.apis()); diff != "" {
				t.Errorf("APIs that are there (-want +got):\n%s", diff)
			}
		})
	}
}

// TestComesBackAsItWas looks at an API before it was unregistered and after.
func TestComesBackAsItWas(t *testing.T) {
	w := newWorld(t)
	before := w.get(coder)
	w.ready(false)
	w.look()
	w.pass(after)
	w.look()
	w.ready(true)
	w.look()
	got := w.get(coder)
	for _, o := range []*unstructured.Unstructured{before, got} {
		o.SetResourceVersion("")
		o.SetUID("")
		o.SetCreationTimestamp(metav1.Time{})
		o.SetManagedFields(nil)
		unstructured.RemoveNestedField(o.Object, "spec", "caBundle") // the certificate controller adds it
		unstructured.RemoveNestedField(o.Object, "status")
	}
	if diff := cmp.Diff(before, got); diff != "" {
		t.Errorf("APIService (-before +after):\n%s", diff)
	}
}

// TestForeignNotes has somebody write into the ConfigMap.
func TestForeignNotes(t *testing.T) {
	for name, tc := range map[string]struct{ key, text, wantErr string }{
		"no JSON":            {coder, "{", "has no saved APIService under " + coder},
		"another name":       {coder, `{"owner":"x","object":` + objectJSON("v1.apps") + `}`, "has no saved APIService under " + coder},
		"another service":    {coder, `{"owner":"x","object":` + strings.ReplaceAll(objectJSON(coder), "latchkey-server", "evil") + `}`, "has no saved APIService under " + coder},
		"another API's name": {"v1.apps", `{"owner":"x","object":` + objectJSON("v1.apps") + `}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.delete(apiService(coder, ""))
			w.create(&corev1.ConfigMap{
				ObjectMeta: metav1.ObjectMeta{Namespace: system, Name: aggregation.ConfigMapName}, Data: map[string]string{tc.key: tc.text},
			})
			_, err := w.Reconcile(t.Context(), reconcile.Request{})
			if tc.wantErr == "" && err != nil || tc.wantErr != "" && (err == nil || !strings.Contains(err.Error(), tc.wantErr)) {
				t.Errorf("Reconcile = %v, want %q in it", err, tc.wantErr)
			}
			if diff := cmp.Diff([]string{golem}, w.apis()); diff != "" {
				t.Errorf("APIs that are there (-want +got):\n%s", diff)
			}
		})
	}
}

// world is a cluster with a controller.
type world struct {
	t     *testing.T
	api   client.WithWatch
	clock *clocktesting.FakePassiveClock
	*aggregation.Reconciler
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		t:     t,
		api:   fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).Build(),
		clock: clocktesting.NewFakePassiveClock(time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)),
	}
	w.create(slice(true), apiService(coder, "latchkey-server"), apiService(golem, "latchkey-server"))
	w.restart()
	return w
}

func (w *world) restart() {
	w.Reconciler = &aggregation.Reconciler{Slices: w.api, Live: w.api, Clock: w.clock, Namespace: system, After: after, Seen: &aggregation.Seen{}}
}

func (w *world) look() {
	w.t.Helper()
	if _, err := w.Reconcile(w.t.Context(), reconcile.Request{}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) pass(d time.Duration) { w.clock.SetTime(w.clock.Now().Add(d)) }

func (w *world) ready(ready bool) {
	w.t.Helper()
	w.must(w.api.Patch(w.t.Context(), slice(ready), client.Merge))
}

func (w *world) create(objects ...client.Object) {
	for _, o := range objects {
		w.must(w.api.Create(w.t.Context(), o))
	}
}

func (w *world) delete(o client.Object) { w.must(w.api.Delete(w.t.Context(), o)) }

func (w *world) get(name string) *unstructured.Unstructured {
	w.t.Helper()
	o := apiService(name, "")
	w.must(w.api.Get(context.Background(), client.ObjectKey{Name: name}, o))
	return o
}

func (w *world) apis() []string {
	w.t.Helper()
	var found []string
	for _, name := range []string{coder, golem, "v1.apps"} {
		err := w.api.Get(context.Background(), client.ObjectKey{Name: name}, apiService(name, ""))
		if err == nil {
			found = append(found, name)
		} else if !apierrors.IsNotFound(err) {
			w.t.Fatal(err)
		}
	}
	return found
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func slice(ready bool) *discoveryv1.EndpointSlice {
	return &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Namespace: system, Name: "slice", Labels: map[string]string{discoveryv1.LabelServiceName: aggregation.ServiceName}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{"192.0.2.1"}, Conditions: discoveryv1.EndpointConditions{Ready: ptr.To(ready)}}},
	}
}

func apiService(name, service string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
		"group": "coder.latchkey.dev", "version": "v2", "caBundle": "Y2E=", "groupPriorityMinimum": int64(100), "versionPriority": int64(10),
		"service": map[string]any{"namespace": system, "name": service, "port": int64(443)},
	}}}
	o.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiregistration.k8s.io", Version: "v1", Kind: "APIService"})
	o.SetName(name)
	o.SetLabels(map[string]string{"app.kubernetes.io/managed-by": "Helm"})
	o.SetAnnotations(map[string]string{"meta.helm.sh/release-name": "latchkey"})
	return o
}

func objectJSON(name string) string {
	text, err := apiService(name, "latchkey-server").MarshalJSON()
	if err != nil {
		panic(err)
	}
	return string(text)
}
