// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package aggregation

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
)

var (
	installed = time.Unix(1000, 0)
	later     = time.Unix(2000, 0)
)

func field(manager string, operation metav1.ManagedFieldsOperationType, at time.Time) metav1.ManagedFieldsEntry {
	return metav1.ManagedFieldsEntry{
		Manager: manager, Operation: operation, Time: &metav1.Time{Time: at}, FieldsType: "FieldsV1",
		FieldsV1: metav1.NewFieldsV1(`{"f:webhooks":{}}`),
	}
}

// weakened returns the configuration with a webhook that does not refuse, and its owners.
func weakened(fields ...metav1.ManagedFieldsEntry) *unstructured.Unstructured {
	o := configuration(nil)
	hooks, _, _ := unstructured.NestedSlice(o.Object, "webhooks")
	if hook, ok := hooks[0].(map[string]any); ok {
		hook["failurePolicy"] = "Ignore"
	}
	o.Object["webhooks"] = hooks
	o.SetManagedFields(fields)
	return o
}

func TestSee_ContentDiffers_OnlyWhatSomebodyDeclaresIsRemembered(t *testing.T) {
	const apply, update = metav1.ManagedFieldsOperationApply, metav1.ManagedFieldsOperationUpdate
	for name, tc := range map[string]struct {
		before, after []metav1.ManagedFieldsEntry
		uid           string
		want          bool
	}{
		"the one who applied it applies another": {
			before: []metav1.ManagedFieldsEntry{field("admin", apply, installed)}, after: []metav1.ManagedFieldsEntry{field("admin", apply, later)}, want: true,
		},
		"somebody else applies it": {
			before: []metav1.ManagedFieldsEntry{field("admin", apply, installed)},
			after:  []metav1.ManagedFieldsEntry{field("admin", apply, installed), field("argocd", apply, later)}, want: true,
		},
		"Helm 3 upgrades what it installed": {
			before: []metav1.ManagedFieldsEntry{field("helm", update, installed)}, after: []metav1.ManagedFieldsEntry{field("helm", update, later)}, want: true,
		},
		"Helm 3 takes over": {
			before: []metav1.ManagedFieldsEntry{field("kubectl", apply, installed)},
			after:  []metav1.ManagedFieldsEntry{field("kubectl", apply, installed), field("helm", update, later)}, want: true,
		},
		"Flux takes over a release of Helm": {
			before: []metav1.ManagedFieldsEntry{field("helm", update, installed)},
			after:  []metav1.ManagedFieldsEntry{field("helm", update, installed), field("helm-controller", update, later)}, want: true,
		},
		"a tool that nobody knows changes what it made": {
			before: []metav1.ManagedFieldsEntry{field("tool", update, installed)}, after: []metav1.ManagedFieldsEntry{field("tool", update, later)}, want: true,
		},
		"somebody deletes it and creates another": {
			before: []metav1.ManagedFieldsEntry{field("admin", apply, installed)}, after: []metav1.ManagedFieldsEntry{field("kubectl-create", update, later)},
			uid: "another", want: true,
		},
		"somebody edits it": {
			before: []metav1.ManagedFieldsEntry{field("admin", apply, installed)},
			after:  []metav1.ManagedFieldsEntry{field("admin", apply, installed), field("kubectl-edit", update, later)},
		},
		"somebody takes something out, and owns nothing": {
			before: []metav1.ManagedFieldsEntry{field("admin", apply, installed)}, after: []metav1.ManagedFieldsEntry{field("admin", apply, installed)},
		},
		"the certificate is renewed by its controller after an edit": {
			before: []metav1.ManagedFieldsEntry{field("helm", update, installed), field("latchkey", update, installed)},
			after:  []metav1.ManagedFieldsEntry{field("helm", update, installed), field("latchkey", update, later)},
		},
		"the corrector has not finished": {
			before: []metav1.ManagedFieldsEntry{field("admin", apply, installed)}, after: []metav1.ManagedFieldsEntry{field(corrector, apply, later)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			first, second := configuration(nil), weakened(tc.after...)
			first.SetManagedFields(tc.before)
			first.SetUID("one")
			second.SetUID("one")
			if tc.uid != "" {
				second.SetUID("another")
			}
			s := &Seen{}
			s.see(first)
			s.see(second)
			if got := s.all()["latchkey"].holds(second); got != tc.want {
				t.Errorf("it is remembered: %t, want %t", got, tc.want)
			}
		})
	}
}

func TestCorrect_AlteredAgainAndAgain_IsLeftAsItIsForAnHour(t *testing.T) {
	c := fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).WithObjects(configuration(nil)).Build()
	r := &Reconciler{Live: c, Seen: &Seen{}}
	there := watched(false)[0].DeepCopy()
	get := func() *unstructured.Unstructured {
		t.Helper()
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(there), there); err != nil {
			t.Fatal(err)
		}
		return there
	}
	r.Seen.see(get())
	k := r.Seen.all()["latchkey"]
	// alter weakens the configuration, and reports whether it is corrected.
	alter := func(now time.Time) bool {
		t.Helper()
		get().Object["webhooks"] = weakened().Object["webhooks"]
		if err := c.Update(t.Context(), there, client.FieldOwner("kubectl-edit")); err != nil {
			t.Fatal(err)
		}
		if err := r.correct(t.Context(), k, get(), now); err != nil {
			t.Fatal(err)
		}
		return k.holds(get())
	}
	gauge := altered.WithLabelValues("MutatingWebhookConfiguration", "latchkey")
	for i := range corrections {
		if !alter(later) || testutil.ToFloat64(gauge) != 0 {
			t.Fatalf("time %d: it is not corrected", i+1)
		}
	}
	if alter(later) || testutil.ToFloat64(gauge) != 1 {
		t.Error("what comes back all the time is fought over, or nobody is told")
	}
	if !alter(later.Add(correctionsPer)) {
		t.Error("an hour later it is still left as it is")
	}
	if err := r.correct(t.Context(), k, get(), later.Add(correctionsPer)); err != nil || testutil.ToFloat64(gauge) != 0 {
		t.Errorf("the gauge stays (%v)", err)
	}
}

func TestKeepMaintained_WhatTheControllersWrite_SurvivesACorrection(t *testing.T) {
	there := weakened()
	hooks, _, _ := unstructured.NestedSlice(there.Object, "webhooks")
	if hook, ok := hooks[0].(map[string]any); ok {
		if err := unstructured.SetNestedField(hook, "/secret/admit", "clientConfig", "service", "path"); err != nil {
			t.Fatal(err)
		}
	}
	there.Object["webhooks"] = hooks
	k, err := save(configuration(nil))
	if err != nil {
		t.Fatal(err)
	}
	wanted := k.Object.DeepCopy().Object
	keepMaintained(wanted, there.Object)
	want := []any{map[string]any{
		"name": "usersecrets.latchkey.dev",
		"clientConfig": map[string]any{
			"caBundle": "Y2E=", "service": map[string]any{"name": "latchkey-webhook", "namespace": "latchkey-system", "path": "/secret/admit"},
		},
	}}
	if diff := cmp.Diff(want, wanted["webhooks"]); diff != "" {
		t.Errorf("webhooks (-want +got):\n%s", diff)
	}
}
