// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"context"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/controllers/rollout"
)

// record reads what a leader leaves to the next.
func (w *world) record() *corev1.ConfigMap {
	w.t.Helper()
	cm := &corev1.ConfigMap{}
	if err := w.api.Get(context.Background(), client.ObjectKey{Namespace: own, Name: rollout.RecordName}, cm); err != nil {
		w.t.Fatal(err)
	}
	return cm
}

func TestRecord_OneWriteForEachRestart(t *testing.T) {
	w, all := crowd(t, 9, 2, "a", "b")
	if w.records != 0 {
		t.Errorf("%d writes before anything was restarted, want none", w.records)
	}
	for _, want := range []int{4, 4} { // the second time nothing has changed
		for range 5 {
			w.lookAtAll(all)
			w.pass(2 * time.Second)
		}
		if w.records != want || len(w.events) != want {
			t.Errorf("%d restarts and %d writes of the record, want %d", len(w.events), w.records, want)
		}
	}
	for _, one := range all {
		if data := w.record().Data["restarts.json"]; !strings.Contains(data, `"`+one.Namespace+`","name":"`+one.Name+`"`) {
			t.Errorf("%v is not in the record: %s", one, data)
		}
	}
}

func TestRecord_WorkloadsOfThePast_AreDropped(t *testing.T) {
	w, all := crowd(t, 9, 1, "a", "b")
	w.lookAtAll(all)
	if err := w.api.Delete(context.Background(), w.get(all[0])); err != nil {
		t.Fatal(err)
	}
	w.look(all[0])
	w.pass(timeout)
	w.content("b", "three")
	w.settle(all[1])
	if data := w.record().Data["restarts.json"]; strings.Contains(data, `"namespace":"a"`) || !strings.Contains(data, `"namespace":"b"`) {
		t.Errorf("the record has %s, want the latest restart alone", data)
	}
}

func TestRecord_ThatCannotBeUsed_KeepsNobodyWaiting(t *testing.T) {
	for name, data := range map[string]string{
		"nonsense": "}{", "nothing": "", "another kind": `[{"kind":"Pod","namespace":"a","name":"b"}]`,
		"places taken in the future": `[
			{"kind":"Deployment","namespace":"x","name":"x","at":"2099-01-01T00:00:00Z","since":"2099-01-01T00:00:00Z"},
			{"kind":"Deployment","namespace":"y","name":"y","at":"2099-01-01T00:00:00Z","since":"2099-01-01T00:00:00Z"},
			{"kind":"Deployment","namespace":"a","name":"web-0","at":"2099-01-01T00:00:00Z"}]`,
	} {
		t.Run(name, func(t *testing.T) {
			w, all := crowd(t, 2, 1, "a")
			for _, stuck := range []string{"x", "y"} {
				d, _ := deployment(stuck, stuck)
				if err := w.api.Create(context.Background(), d); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.api.Create(context.Background(), &corev1.ConfigMap{
				ObjectMeta: metav1.ObjectMeta{Namespace: own, Name: rollout.RecordName, Labels: map[string]string{"app.kubernetes.io/managed-by": "latchkey"}},
				Data:       map[string]string{"restarts.json": data},
			}); err != nil {
				t.Fatal(err)
			}
			w.interval = time.Minute
			w.restart()
			w.lookAtAll(all)
			w.pass(timeout)
			if rolled := w.lookAtAll(all); len(rolled)+len(w.events) == 0 {
				t.Error("nothing is restarted")
			}
			if data := w.record().Data["restarts.json"]; !strings.Contains(data, "web-0") {
				t.Errorf("the record has %s", data)
			}
		})
	}
}

func TestRecord_OfSomebodyElse_IsLeftAlone(t *testing.T) {
	w, all := crowd(t, 2, 1, "a")
	theirs := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: own, Name: rollout.RecordName}, Data: map[string]string{"theirs": "stays"}}
	if err := w.api.Create(context.Background(), theirs); err != nil {
		t.Fatal(err)
	}
	w.restart()
	w.look(all[0])
	w.pass(delay)
	if rolled := w.lookAtAll(all); len(rolled) != 1 {
		t.Error("nothing is restarted")
	}
	if got := w.record().Data; len(got) != 1 || got["theirs"] != "stays" {
		t.Errorf("the ConfigMap has %v", got)
	}
}

// What tenants write into their workloads says nothing about places.
func TestRolledAt_OfTenants_IsNotRead(t *testing.T) {
	for _, at := range []string{"2099-01-01T00:00:00Z", noon.Format(time.RFC3339)} {
		w, all := crowd(t, 2, 1, "a", "b", "c")
		for _, stuck := range all[:2] {
			w.edit(stuck, func(d *appsv1.Deployment) { d.Annotations[rollout.AnnotationRolledAt] = at })
		}
		w.restart()
		w.look(all[2])
		w.pass(delay)
		if rolled := w.lookAtAll(all[2:]); len(rolled) != 1 {
			t.Errorf("with rolled-at %s on others, nothing is restarted", at)
		}
	}
}
