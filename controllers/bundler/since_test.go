// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundler

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

// TestChangedAt_WhateverHappens_IsNeverTooEarly begins with an object a that landed at
// minute 1 beside an object b, lets something happen at minute 2, and reconciles.
func TestChangedAt_WhateverHappens_IsNeverTooEarly(t *testing.T) {
	again := func(t *testing.T, c *cluster, value string) {
		text, err := c.ring.Seal(seal.Context{Kind: "UserSecret", Namespace: "alice", Name: "a"}, seal.ValueOf(value))
		if err != nil {
			t.Fatal(err)
		}
		c.objects["a"].Spec.SealedValue = text
	}
	minute := func(n int) time.Time { return time.Date(2026, 1, 2, 3, n, 0, 0, time.UTC) }
	for name, tt := range map[string]struct {
		does   func(*testing.T, *cluster)
		settle bool // a reconcile of another process comes between
		want   *time.Time
	}{
		"nothing":                      {func(*testing.T, *cluster) {}, false, new(minute(1))},
		"another process":              {func(*testing.T, *cluster) {}, true, new(minute(1))},
		"the same value, sealed again": {func(t *testing.T, c *cluster) { again(t, c, canary) }, false, new(minute(1))},
		"another value":                {func(t *testing.T, c *cluster) { again(t, c, "new") }, false, new(minute(2))},
		"a value beside it":            {func(t *testing.T, c *cluster) { c.add(t, "c", "x") }, false, new(minute(1))},
		"a variable of another name":   {func(_ *testing.T, c *cluster) { c.objects["a"].Spec.EnvName = "Z" }, false, new(minute(2))},
		"it is switched off":           {func(_ *testing.T, c *cluster) { c.objects["a"].Spec.Enabled = new(bool) }, false, nil},
		"its bundle is deleted":        {func(_ *testing.T, c *cluster) { c.remove("latchkey-user-env") }, false, new(minute(2).Add(catchUp + time.Millisecond))},
		"somebody restores old contents": {func(_ *testing.T, c *cluster) {
			c.drift("latchkey-user-env", func(d map[string][]byte) { d["A"] = []byte("old") })
		}, false, new(minute(2))},
		"drift of another entry": {func(_ *testing.T, c *cluster) {
			c.drift("latchkey-user-env", func(d map[string][]byte) { d["B"] = []byte("old") })
		}, false, new(minute(1))},
		"the record is lost": {func(_ *testing.T, c *cluster) {
			s := c.live["latchkey-user-env"].DeepCopy()
			delete(s.Annotations, v1alpha1.AnnotationRecord)
			c.store(s)
		}, false, new(minute(2))},
		"its status is lost": {func(_ *testing.T, c *cluster) { c.objects["a"].Status = v1alpha1.SecretStatus{} }, false, new(minute(2))},
		"a crash between the bundle and the status": {func(t *testing.T, c *cluster) {
			status := *c.objects["a"].Status.DeepCopy()
			again(t, c, "new")
			if _, _, err := c.reconcile(t, c.reconciler()); err != nil {
				t.Fatal(err)
			}
			status.DeepCopyInto(&c.objects["a"].Status) // it was never written
			c.now = minute(3)
		}, true, new(minute(3))},
		"another value, by a leader whose clock is behind": {func(t *testing.T, c *cluster) {
			again(t, c, "new")
			c.now = minute(0)
		}, true, new(minute(1).Add(time.Microsecond))},
		"the status of another object, out of a backup": {func(_ *testing.T, c *cluster) {
			at := metav1.NewMicroTime(minute(9))
			c.objects["a"].Status.ObservedUID, c.objects["a"].Status.Value.ChangedAt = "other", &at
		}, false, new(minute(2))},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t)
			c.now = minute(1)
			c.add(t, "a", canary)
			c.add(t, "b", "x")
			r := c.reconciler()
			if _, _, err := c.reconcile(t, r); err != nil {
				t.Fatal(err)
			}
			c.now = minute(2)
			tt.does(t, c)
			if tt.settle {
				r = c.reconciler()
			}
			for range 2 { // and then it stays
				if _, _, err := c.reconcile(t, r); err != nil {
					t.Fatal(err)
				}
			}
			var got *time.Time
			if v := c.objects["a"].Status.Value; v != nil {
				got = &v.ChangedAt.Time
			}
			if (got == nil) != (tt.want == nil) || got != nil && !got.Equal(*tt.want) {
				t.Errorf("changedAt is %v, want %v", got, tt.want)
			}
		})
	}
}
