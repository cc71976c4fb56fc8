// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundler

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/bundle"
	"github.com/latchkey-dev/latchkey/internal/keyring"
)

func asFile(u *v1alpha1.UserSecret) { u.Spec.EnvName, u.Spec.FilePath = "", "~/"+u.Name }

func fromSource(u *v1alpha1.UserSecret) {
	u.Spec.SealedValue = ""
	u.Spec.ValueFrom = &v1alpha1.ValueSource{SecretKeyRef: v1alpha1.SecretKeyRef{Name: "source", Key: "token"}}
}

// step changes the cluster and says what the reconcile after it should do.
type step struct {
	does       func(*testing.T, *cluster)
	wantWrites []string
	wantOpens  int
	wantEvents []string
}

func run(t *testing.T, c *cluster, steps []step) {
	t.Helper()
	r := c.reconciler()
	for i, s := range steps {
		if s.does != nil {
			s.does(t, c)
		}
		writes, _, err := c.reconcile(t, r)
		if err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		if diff := cmp.Diff(s.wantWrites, writes); diff != "" {
			t.Errorf("step %d: writes (-want +got):\n%s", i, diff)
		}
		if diff := cmp.Diff(s.wantEvents, c.events); diff != "" {
			t.Errorf("step %d: events (-want +got):\n%s", i, diff)
		}
		if c.opens != s.wantOpens {
			t.Errorf("step %d: %d values opened, want %d", i, c.opens, s.wantOpens)
		}
	}
}

func TestNothingIsWrittenBeforeItMayBe(t *testing.T) {
	c := newCluster(t)
	c.add(t, "a", canary)
	r := c.reconciler()
	calls := 0
	r.BeforeWrites = func(context.Context) {
		if calls++; len(c.writes) > 0 {
			t.Errorf("wrote %v already", c.writes)
		}
	}
	writes, _, err := c.reconcile(t, r)
	if err != nil || len(writes) == 0 || calls != 1 {
		t.Errorf("wrote %v, %v, and asked %d times before; want something, and once", writes, err, calls)
	}
}

func TestReconcile(t *testing.T) {
	addBoth := func(t *testing.T, c *cluster) {
		c.add(t, "a", canary)
		c.add(t, "b", "x", asFile)
	}
	created := step{does: addBoth, wantOpens: 2, wantWrites: []string{
		"create latchkey-user-env", "create latchkey-user-files", "status a Projected", "status b Projected",
	}}
	for name, steps := range map[string][]step{
		"a tenant without secrets has no bundle": {{}},
		"what did not change is neither written nor opened": {
			created, {}, {},
		},
		"only the bundle that changed is written": {
			created,
			{does: func(t *testing.T, c *cluster) { c.add(t, "c", "y") }, wantOpens: 1,
				wantWrites: []string{"patch latchkey-user-env C", "status c Projected"}},
			{},
		},
		"a change without effect on the bundles writes the status alone": {
			created,
			{does: func(_ *testing.T, c *cluster) { c.objects["a"].Spec.Description, c.objects["a"].Generation = "new", 2 },
				wantWrites: []string{"status a Projected"}},
		},
		"drift is repaired": {
			created,
			{does: func(_ *testing.T, c *cluster) {
				drifted := c.live["latchkey-user-env"].DeepCopy()
				drifted.Data["A"] = []byte("drift")
				c.store(drifted)
			}, wantOpens: 1, wantWrites: []string{"patch latchkey-user-env A", "status a Projected"}},
			{},
		},
		"a copy of the digest in the data is drift as well": {
			created,
			{does: func(_ *testing.T, c *cluster) {
				drifted := c.live["latchkey-user-env"].DeepCopy()
				drifted.Data = map[string][]byte{"mac": []byte(drifted.Annotations[v1alpha1.AnnotationMAC])}
				c.store(drifted)
			}, wantOpens: 1, wantWrites: []string{
				"patch latchkey-user-env A -mac",
				"status a Projected",
			}},
			{},
		},
		"what somebody added to a bundle is taken out": {
			created,
			{does: func(_ *testing.T, c *cluster) {
				drifted := c.live["latchkey-user-env"].DeepCopy()
				drifted.Data["LD_PRELOAD"] = []byte("/evil.so")
				drifted.Annotations[v1alpha1.AnnotationLayout] = "{}"
				c.store(drifted)
			}, wantWrites: []string{"patch latchkey-user-env -LD_PRELOAD"}},
			{},
		},
		"a secret that is not projected any more leaves its bundle": {
			{does: func(t *testing.T, c *cluster) { c.add(t, "a", canary); c.add(t, "b", "x") }, wantOpens: 2,
				wantWrites: []string{"create latchkey-user-env", "status a Projected", "status b Projected"}},
			{does: func(_ *testing.T, c *cluster) { c.objects["a"].Spec.Enabled = new(bool) },
				wantWrites: []string{"patch latchkey-user-env -A", "status a Disabled"}},
			{},
		},
		"a deleted bundle is made again": {
			created,
			{does: func(_ *testing.T, c *cluster) { c.remove("latchkey-user-files") },
				wantOpens: 1, wantWrites: []string{"create latchkey-user-files", "status b Projected"}},
		},
		"a bundle that nothing is in any more is deleted, as it was read": {
			created,
			{does: func(_ *testing.T, c *cluster) { delete(c.objects, "a") },
				wantWrites: []string{"delete latchkey-user-env"}},
			{},
		},
		"an object that is being deleted is not projected": {
			created,
			{does: func(_ *testing.T, c *cluster) { c.objects["a"].DeletionTimestamp = &metav1.Time{} }, wantWrites: nil, wantOpens: 0},
			{does: func(_ *testing.T, c *cluster) { now := metav1.Now(); c.objects["a"].DeletionTimestamp = &now },
				wantWrites: []string{"delete latchkey-user-env"}},
		},
		"a new object that cannot be ready is announced once, and so is its recovery": {
			{does: func(t *testing.T, c *cluster) { c.add(t, "a", "x", fromSource) }, wantOpens: 0,
				wantWrites: []string{"status a SourceNotFound"},
				wantEvents: []string{"a Warning SourceNotFound Project: Secret source does not exist in this namespace: create it, or change valueFrom"}},
			{},
			{does: func(_ *testing.T, c *cluster) {
				c.live["source"] = &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "source", ResourceVersion: "3"}, Data: map[string][]byte{}}
			}, wantWrites: []string{"status a SourceNotFound"}},
			{does: func(_ *testing.T, c *cluster) {
				c.live["source"].Data["token"], c.live["source"].ResourceVersion = []byte(canary), "4"
			}, wantWrites: []string{"create latchkey-user-env", "status a Projected"},
				wantEvents: []string{"a Normal Projected Project: projected as variable A of Secret latchkey-user-env"}},
			{},
		},
		"a value of another object does not open, and the others stay": {
			created,
			{does: func(_ *testing.T, c *cluster) { c.objects["a"].Spec.SealedValue = c.objects["b"].Spec.SealedValue }, wantOpens: 1,
				wantWrites: []string{"delete latchkey-user-env", "status a Unsealable"},
				wantEvents: []string{"a Warning Unsealable Project: sealedValue does not open: it was sealed for another object or was altered; seal the value again for this kind, namespace and name"}},
			{},
		},
		"a Secret with our label that is not ours is not deleted": {
			{does: func(_ *testing.T, c *cluster) {
				c.store(&corev1.Secret{Type: corev1.SecretTypeOpaque, ObjectMeta: metav1.ObjectMeta{
					Name: "latchkey-user-env", Labels: map[string]string{v1alpha1.LabelBundle: "user"},
				}})
			}},
		},
	} {
		t.Run(name, func(t *testing.T) { run(t, newCluster(t), steps) })
	}
}

func TestARestartInSyncWritesAndLeavesAsItWas(t *testing.T) {
	c := newCluster(t)
	c.add(t, "a", canary)
	if _, _, err := c.reconcile(t, c.reconciler()); err != nil {
		t.Fatal(err)
	}
	writes, _, err := c.reconcile(t, c.reconciler())
	if err != nil || len(writes) > 0 {
		t.Errorf("a new process wrote %v (%v), want nothing", writes, err)
	}
}

func TestABundleHasItsValuesAndLabels(t *testing.T) {
	c := newCluster(t)
	c.add(t, "a", canary, asFile)
	if _, _, err := c.reconcile(t, c.reconciler()); err != nil {
		t.Fatal(err)
	}
	got := c.live["latchkey-user-files"]
	if got == nil {
		t.Fatal("there is no bundle")
	}
	mac := got.Annotations[v1alpha1.AnnotationMAC]
	want := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "alice", Name: "latchkey-user-files", UID: "uid", ResourceVersion: "1",
			Labels: map[string]string{v1alpha1.LabelBundle: "user", "app.kubernetes.io/managed-by": "latchkey"},
			Annotations: map[string]string{
				v1alpha1.AnnotationMAC: mac, v1alpha1.AnnotationRecord: got.Annotations[v1alpha1.AnnotationRecord],
				v1alpha1.AnnotationLayout: bundle.Layout(digestKey, "alice", "latchkey-user-files", map[string]string{"a": "~/a"}),
			},
		},
		Type: v1alpha1.SecretTypeBundle,
		Data: map[string][]byte{"a": []byte(canary)},
	}
	if diff := cmp.Diff(want, got); diff != "" || mac == "" {
		t.Errorf("bundle with MAC %q (-want +got):\n%s", mac, diff)
	}
}

// TestKeysThatCannotBeReadTakeNothingAway holds that a value is dropped from a
// bundle only when it is sure not to open. For lost keys see keep_test.go.
func TestKeysThatCannotBeReadTakeNothingAway(t *testing.T) {
	for name, err := range map[string]error{
		"the list of keys failed": errors.New("look for sealing key 0123456789abcdef: list the sealing keys: timeout"),
		"no key is loaded":        keyring.ErrNoKey,
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t)
			c.add(t, "a", canary)
			r := c.reconciler()
			if _, _, err := c.reconcile(t, r); err != nil {
				t.Fatal(err)
			}
			c.add(t, "b", "x")
			c.openErr = err
			writes, _, got := c.reconcile(t, r)
			if !errors.Is(got, err) || len(writes) > 0 {
				t.Errorf("Reconcile = %v, writes %v, want the error and nothing written", got, writes)
			}
			if string(c.live["latchkey-user-env"].Data["A"]) != canary {
				t.Error("the value is gone")
			}
		})
	}
}

func TestAKeyThatAppearsOpensWhatWaitedForIt(t *testing.T) {
	c, elsewhere := newCluster(t), newCluster(t)
	elsewhere.add(t, "a", canary)
	c.objects["a"] = elsewhere.objects["a"]
	r := c.reconciler()
	writes, _, err := c.reconcile(t, r)
	if diff := cmp.Diff([]string{"status a KeyNotFound"}, writes); diff != "" || err != nil {
		t.Fatalf("%v, writes (-want +got):\n%s", err, diff)
	}
	if message := c.objects["a"].Status.Conditions[0].Message; !strings.Contains(message, elsewhere.ring.NewestID()) {
		t.Errorf("the message %q does not name the key %s", message, elsewhere.ring.NewestID())
	}
	c.ring = elsewhere.ring
	if diff := cmp.Diff([]string{"alice"}, names(r.ofKeys(t.Context(), nil))); diff != "" {
		t.Errorf("tenants that wait for a key (-want +got):\n%s", diff)
	}
	writes, _, err = c.reconcile(t, r)
	if diff := cmp.Diff([]string{"create latchkey-user-env", "status a Projected"}, writes); diff != "" || err != nil {
		t.Errorf("%v, writes (-want +got):\n%s", err, diff)
	}
	if got := r.ofKeys(t.Context(), nil); len(got) > 0 {
		t.Errorf("%v still wait for a key", got)
	}
}
