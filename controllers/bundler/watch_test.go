// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundler

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/bundle"
)

func names(requests []reconcile.Request) []string {
	var out []string
	for _, r := range requests {
		out = append(out, r.Name)
	}
	return out
}

// fullSecret returns a bundle as the API server sends it.
func fullSecret() *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "alice", Name: "latchkey-user-env", UID: "1", ResourceVersion: "2",
			Labels: map[string]string{v1alpha1.LabelBundle: "user"},
			Annotations: map[string]string{
				v1alpha1.AnnotationLayout: "layout", corev1.LastAppliedConfigAnnotation: `{"stringData":{"A":"` + canary + `"}}`,
			},
			ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "latchkey"}},
		},
		Type: v1alpha1.SecretTypeBundle,
		Data: map[string][]byte{"A": []byte(canary), "mac": []byte("x")},
	}
}

func digestedSecret() *corev1.Secret {
	entries := bundle.DigestsOf(digestKey, "alice", "latchkey-user-env", map[string][]byte{"A": []byte(canary), "mac": []byte("x")})
	mac := bundle.MAC(digestKey, "alice", "latchkey-user-env", entries, "layout")
	text := func(name string) string { d := entries[name]; return string(d[:]) }
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "alice", Name: "latchkey-user-env", UID: "1", ResourceVersion: "2",
			Labels:      map[string]string{v1alpha1.LabelBundle: "user"},
			Annotations: map[string]string{v1alpha1.AnnotationLayout: "layout"},
		},
		Type:       v1alpha1.SecretTypeBundle,
		StringData: map[string]string{cachedMAC: mac, "A": text("A"), "mac": text("mac")},
	}
}

func TestDigestedLeavesNoData(t *testing.T) {
	digest := Digested(digestKey)
	var got any = fullSecret()
	for range 2 { // informers may transform an object twice
		var err error
		if got, err = digest(got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(any(digestedSecret()), got); diff != "" {
			t.Errorf("Digested (-want +got):\n%s", diff)
		}
	}
	raw, err := json.Marshal(got)
	if err != nil || strings.Contains(string(raw), canary) || strings.Contains(string(raw), "Y2FuYXJ5LTlhM2") {
		t.Errorf("the value is still in there (%v)", err)
	}
	if got, err := digest("x"); got != "x" || err != nil {
		t.Errorf("something else became %v, %v", got, err)
	}
}

// TestAnInformerDigestsItsFirstListOnce runs a real informer over a list that is
// streamed, since that is where client-go transforms an object twice.
func TestAnInformerDigestsItsFirstListOnce(t *testing.T) {
	informer := toolscache.NewSharedIndexInformer(&toolscache.ListWatch{
		ListWithContextFunc: func(context.Context, metav1.ListOptions) (runtime.Object, error) {
			return &corev1.SecretList{ListMeta: metav1.ListMeta{ResourceVersion: "2"}, Items: []corev1.Secret{*fullSecret()}}, nil
		},
		WatchFuncWithContext: func(_ context.Context, o metav1.ListOptions) (watch.Interface, error) {
			w := watch.NewFakeWithChanSize(2, false)
			if o.SendInitialEvents != nil && *o.SendInitialEvents {
				w.Add(fullSecret())
				w.Action(watch.Bookmark, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
					ResourceVersion: "2", Annotations: map[string]string{metav1.InitialEventsAnnotationKey: "true"},
				}})
			}
			return w, nil
		},
	}, &corev1.Secret{}, 0, nil)
	if err := informer.SetTransform(Digested(digestKey)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	done := make(chan struct{})
	go func() { defer close(done); informer.RunWithContext(ctx) }()
	defer func() { cancel(); <-done }()
	if !toolscache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
		t.Fatal("the informer does not sync")
	}
	if diff := cmp.Diff([]any{digestedSecret()}, informer.GetStore().List()); diff != "" {
		t.Errorf("cache (-want +got):\n%s", diff)
	}
}

func TestContentChanged(t *testing.T) {
	for name, tt := range map[string]struct {
		edit func(*corev1.Secret)
		want bool
	}{
		"a resync is no change":               {func(*corev1.Secret) {}, false},
		"another version is no change":        {func(s *corev1.Secret) { s.ResourceVersion = "3" }, false},
		"somebody's own label is no change":   {func(s *corev1.Secret) { s.Labels["x"] = "y" }, false},
		"somebody's own note is no change":    {func(s *corev1.Secret) { s.Annotations["x"] = "y" }, false},
		"other data is a change":              {func(s *corev1.Secret) { s.StringData[cachedMAC] = "x" }, true},
		"a label of ours that is gone is one": {func(s *corev1.Secret) { delete(s.Labels, v1alpha1.LabelBundle) }, true},
		"a note of ours that is gone is one":  {func(s *corev1.Secret) { delete(s.Annotations, v1alpha1.AnnotationLayout) }, true},
		"a note of ours that is other is one": {func(s *corev1.Secret) { s.Annotations[v1alpha1.AnnotationLayout] = "{}" }, true},
	} {
		t.Run(name, func(t *testing.T) {
			is := digestedSecret()
			tt.edit(is)
			if got := contentChanged().Update(event.UpdateEvent{ObjectOld: digestedSecret(), ObjectNew: is}); got != tt.want {
				t.Errorf("changed = %t, want %t", got, tt.want)
			}
		})
	}
	p := contentChanged()
	if !p.Create(event.CreateEvent{}) || !p.Delete(event.DeleteEvent{}) || !p.Update(event.UpdateEvent{ObjectOld: &v1alpha1.UserSecret{}, ObjectNew: digestedSecret()}) {
		t.Error("creation, deletion or what is no Secret passes unseen")
	}
}

func TestWhoseASecretIs(t *testing.T) {
	r := newCluster(t).reconciler()
	secret := func(name string) client.Object {
		return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "alice", Name: name}}
	}
	ours := r.ofSecret("alice", "latchkey-user-env")
	r.blocked.Store("alice", true)
	for name, tt := range map[string]struct {
		got  []reconcile.Request
		want []string
	}{
		"a bundle that nothing blocks is watched elsewhere":        {ours, nil},
		"a bundle of ours is its tenant's":                         {r.ofBundle(t.Context(), secret("latchkey-user-files")), []string{"alice"}},
		"a bundle of the other kind is not for us":                 {r.ofBundle(t.Context(), secret("latchkey-agent-env")), nil},
		"a Secret that an object names is its tenant's":            {r.ofSecret("alice", "source"), []string{"alice"}},
		"a Secret in the way of a bundle is the bundle's tenant's": {r.ofSecret("alice", "latchkey-user-env"), []string{"alice"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, names(tt.got)); diff != "" {
				t.Errorf("tenants (-want +got):\n%s", diff)
			}
		})
	}
}

// added is a queue that writes down what is added.
type added struct {
	queue
	got []string
}

func (a *added) Add(r reconcile.Request) { a.got = append(a.got, r.Name) }

func TestEnqueued_AnyChangeOfAnObject_IsNotDelayed(t *testing.T) {
	q := &added{}
	o := &v1alpha1.UserSecret{ObjectMeta: metav1.ObjectMeta{Namespace: "alice", Name: "a"}}
	h := enqueued()
	h.Create(t.Context(), event.CreateEvent{Object: o}, q)
	h.Update(t.Context(), event.UpdateEvent{ObjectOld: o, ObjectNew: o}, q)
	h.Delete(t.Context(), event.DeleteEvent{Object: o}, q)
	if diff := cmp.Diff([]string{"alice", "alice", "alice"}, q.got); diff != "" {
		t.Errorf("queue (-want +got):\n%s", diff)
	}
}
