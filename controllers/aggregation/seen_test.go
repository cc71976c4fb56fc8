// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package aggregation

import (
	"testing"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// configuration returns Latchkey's webhook configuration, with annotations.
func configuration(annotations map[string]string) *unstructured.Unstructured {
	o := watched(false)[0].DeepCopy()
	o.SetAnnotations(annotations)
	o.Object["webhooks"] = []any{map[string]any{
		"name":         "usersecrets.latchkey.dev",
		"clientConfig": map[string]any{"caBundle": "Y2E=", "service": map[string]any{"name": "latchkey-webhook", "namespace": "latchkey-system"}},
	}}
	return o
}

// TestPutBack deletes the webhook configuration in different states of the cluster.
func TestPutBack_ConfigurationIsDeleted_ComesBackUnlessItIsToGo(t *testing.T) {
	ready := true
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{Namespace: "latchkey-system", Name: "a", Labels: map[string]string{discoveryv1.LabelServiceName: ServiceName}},
		Endpoints:  []discoveryv1.Endpoint{{Conditions: discoveryv1.EndpointConditions{Ready: &ready}}},
	}
	for name, tc := range map[string]struct {
		servers bool
		// before is what happens before the deletion, and after what does after it.
		before, after func(t *testing.T, r *Reconciler, c client.Client)
		want          bool
	}{
		"while a server is ready":                    {servers: true, want: true},
		"where the cluster does not know of servers": {want: true},
		"which was never seen":                       {before: func(_ *testing.T, r *Reconciler, _ client.Client) { r.Seen.forget("latchkey") }},
		"after an uninstall marked it": {servers: true, before: func(_ *testing.T, r *Reconciler, _ client.Client) {
			r.Seen.see(configuration(map[string]string{AnnotationUninstall: "true"}))
		}},
		"with the servers' Service, by somebody's hand": {servers: true, after: func(t *testing.T, _ *Reconciler, c client.Client) { remove(t, c, slice) }},
	} {
		t.Run(name, func(t *testing.T) {
			c := fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).Build()
			clock := clocktesting.NewFakePassiveClock(time.Unix(1000, 0))
			r := &Reconciler{Slices: c, Live: c, Clock: clock, Namespace: "latchkey-system", Seen: &Seen{}}
			look := func() time.Duration {
				t.Helper()
				result, err := r.Reconcile(t.Context(), reconcile.Request{})
				if err != nil {
					t.Fatal(err)
				}
				return result.RequeueAfter
			}
			if tc.servers {
				if err := c.Create(t.Context(), slice.DeepCopy()); err != nil {
					t.Fatal(err)
				}
			}
			o := configuration(nil)
			if err := c.Create(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			r.Seen.see(o)
			look()
			if tc.before != nil {
				tc.before(t, r, c)
			}
			remove(t, c, o)
			wait := look()
			if tc.after == nil && tc.want != (wait > 0) {
				t.Errorf("it waits for %s, want any: %t", wait, tc.want)
			}
			if tc.after != nil {
				tc.after(t, r, c)
			}
			clock.SetTime(clock.Now().Add(grace))
			look()
			there := watched(false)[0].DeepCopy()
			err := c.Get(t.Context(), client.ObjectKeyFromObject(there), there)
			if got := err == nil; got != tc.want {
				t.Errorf("it is back: %t (%v), want %t", got, err, tc.want)
			}
			hooks, _, _ := unstructured.NestedSlice(there.Object, "webhooks")
			for _, h := range hooks {
				if hook, ok := h.(map[string]any); ok {
					if ca, _, _ := unstructured.NestedString(hook, "clientConfig", "caBundle"); ca != "" {
						t.Error("the CA would belong to who applied it")
					}
				}
			}
		})
	}
}

func remove(t *testing.T, c client.Client, o client.Object) {
	t.Helper()
	gone, ok := o.DeepCopyObject().(client.Object)
	if !ok {
		t.Fatal("no object")
	}
	gone.SetResourceVersion("")
	if err := c.Delete(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
}
