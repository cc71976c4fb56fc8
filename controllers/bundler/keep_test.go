// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundler

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/keyring"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

// lostKeys is a keyring that opens some objects' values no more.
type lostKeys struct {
	*cluster
	answers map[string]error
}

func (l lostKeys) Open(ctx context.Context, at seal.Context, text string) (seal.Value, error) {
	if err := l.answers[at.Name]; err != nil {
		l.opens++
		return seal.Value{}, err
	}
	return l.cluster.Open(ctx, at, text)
}

func (l lostKeys) Knows(ctx context.Context, text string) (bool, error) {
	for name, err := range l.answers {
		if o := l.objects[name]; o != nil && seal.Brief(o.Spec.SealedValue) == seal.Brief(text) && errors.Is(err, keyring.ErrUnknownKey) {
			return false, nil
		}
	}
	return l.cluster.Knows(ctx, text)
}

func withFile(u *v1alpha1.UserSecret) { u.Spec.FilePath = "~/" + u.Name }

// drift changes a bundle as a tenant can.
func (c *cluster) drift(name string, change func(map[string][]byte)) {
	s := c.live[name].DeepCopy()
	change(s.Data)
	c.store(s)
}

// TestALostKeyTakesNothingAway tells what becomes of a tenant whose secrets are
// a, with a variable and a file, and b, with a variable, when the key of a is lost
// and the controller restarts.
func TestALostKeyTakesNothingAway(t *testing.T) {
	const all = "A=" + canary + " B=x a=" + canary
	for name, tc := range map[string]struct {
		does       func(*testing.T, *cluster)
		answer     error // instead of that the key is lost
		wantWrites []string
		wantValues string // of all bundles
		wantKept   bool
	}{
		"what is in the bundles stays, and the status says that there is a problem": {
			wantWrites: []string{"status a KeyNotFound"}, wantValues: all, wantKept: true,
		},
		"other secrets change around it": {
			does:       func(t *testing.T, c *cluster) { c.add(t, "c", "y"); delete(c.objects, "b") },
			wantWrites: []string{"patch latchkey-user-env -B C", "status a KeyNotFound", "status c Projected"},
			wantValues: "A=" + canary + " C=y a=" + canary, wantKept: true,
		},
		"drift of another entry is repaired": {
			does: func(_ *testing.T, c *cluster) {
				c.drift("latchkey-user-env", func(d map[string][]byte) { d["B"], d["EVIL"] = []byte("drift"), []byte("1") })
			},
			wantWrites: []string{
				"patch latchkey-user-env B -EVIL",
				"status a KeyNotFound", "status b Projected",
			},
			wantValues: all, wantKept: true,
		},
		"drift of its own variable is repaired from its file": {
			does: func(_ *testing.T, c *cluster) {
				c.drift("latchkey-user-env", func(d map[string][]byte) { d["A"] = []byte("drift") })
			},
			wantWrites: []string{"patch latchkey-user-env A", "status a KeyNotFound"}, wantValues: all, wantKept: true,
		},
		"drift of its own file is repaired from its variable": {
			does: func(_ *testing.T, c *cluster) {
				c.drift("latchkey-user-files", func(d map[string][]byte) { delete(d, "a") })
			},
			wantWrites: []string{"patch latchkey-user-files a", "status a KeyNotFound"}, wantValues: all, wantKept: true,
		},
		"one of two bundles is deleted and comes back whole": {
			does:       func(_ *testing.T, c *cluster) { c.remove("latchkey-user-env") },
			wantWrites: []string{"create latchkey-user-env", "status a KeyNotFound", "status b Projected"}, wantValues: all, wantKept: true,
		},
		"if both are deleted, nothing of it is left": {
			does: func(_ *testing.T, c *cluster) {
				c.remove("latchkey-user-env")
				c.remove("latchkey-user-files")
			},
			wantWrites: []string{"create latchkey-user-env", "status a KeyNotFound", "status b Projected"}, wantValues: "B=x",
		},
		"where both were changed, what is there is better than nothing": {
			does: func(_ *testing.T, c *cluster) {
				c.drift("latchkey-user-env", func(d map[string][]byte) { delete(d, "A") })
				c.drift("latchkey-user-files", func(d map[string][]byte) { d["more"] = []byte("1") })
			},
			wantWrites: []string{
				"patch latchkey-user-env A", "patch latchkey-user-files -more",
				"status a KeyNotFound",
			},
			wantValues: all, wantKept: true,
		},
		"its variable gets another name": {
			does:       func(_ *testing.T, c *cluster) { c.objects["a"].Spec.EnvName = "Z" },
			wantWrites: []string{"patch latchkey-user-env -A Z", "status a KeyNotFound"},
			wantValues: "B=x Z=" + canary + " a=" + canary, wantKept: true,
		},
		"it is switched off": {
			does:       func(_ *testing.T, c *cluster) { c.objects["a"].Spec.Enabled = new(bool) },
			wantWrites: []string{"delete latchkey-user-files", "patch latchkey-user-env -A", "status a Disabled"}, wantValues: "B=x",
		},
		"it is deleted": {
			does:       func(_ *testing.T, c *cluster) { delete(c.objects, "a") },
			wantWrites: []string{"delete latchkey-user-files", "patch latchkey-user-env -A"}, wantValues: "B=x",
		},
		"another object that takes its names does not get its value": {
			does: func(t *testing.T, c *cluster) {
				c.add(t, "a", "new", withFile, func(u *v1alpha1.UserSecret) { u.UID = "another" })
			},
			wantWrites: []string{"delete latchkey-user-files", "patch latchkey-user-env -A", "status a KeyNotFound"}, wantValues: "B=x",
		},
		"a value that was altered, as is certain, leaves": {
			does:       func(_ *testing.T, c *cluster) { c.objects["a"].Spec.SealedValue += "x" },
			answer:     seal.ErrMalformed,
			wantWrites: []string{"delete latchkey-user-files", "patch latchkey-user-env -A", "status a Unsealable"}, wantValues: "B=x",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t)
			c.add(t, "a", canary, withFile)
			c.add(t, "b", "x")
			if _, _, err := c.reconcile(t, c.reconciler()); err != nil {
				t.Fatal(err)
			}
			if tc.does != nil {
				tc.does(t, c)
			}
			answer := tc.answer
			if answer == nil {
				answer = keyring.ErrUnknownKey
			}
			r := c.reconciler()
			r.Opener = lostKeys{cluster: c, answers: map[string]error{"a": answer}}
			writes, _, err := c.reconcile(t, r)
			if diff := cmp.Diff(tc.wantWrites, writes); diff != "" || err != nil {
				t.Errorf("%v, writes (-want +got):\n%s", err, diff)
			}
			if got := c.values(); got != tc.wantValues {
				t.Errorf("the bundles have %s, want %s", got, tc.wantValues)
			}
			if a := c.objects["a"]; a != nil {
				kept := a.Status.Env != nil && a.Status.File != nil && strings.HasSuffix(a.Status.Conditions[0].Message, "; the value that the bundle has stays in it")
				if kept != tc.wantKept || strings.Contains(a.Status.Conditions[0].Message, canary) {
					t.Errorf("status %v, want it to say that the value is kept: %t", a.Status, tc.wantKept)
				}
			}
			if writes, _, err := c.reconcile(t, r); len(writes) > 0 || c.opens > 0 || err != nil {
				t.Errorf("the next look writes %v and opens %d values, %v; want nothing", writes, c.opens, err)
			}
			r.Opener = c // the key is back
			r.ofKeys(t.Context(), nil)
			if _, _, err := c.reconcile(t, r); err != nil || tc.wantKept && !strings.Contains(c.values(), "="+canary) {
				t.Errorf("%v, and the bundles have %s", err, c.values())
			}
		})
	}
}

// TestReconcile_ASourceThatIsAway_TakesNothingAway tells what becomes of a, with a
// variable and a file from key token of Secret source, and of b, when the source is
// not there and the controller restarts.
func TestReconcile_ASourceThatIsAway_TakesNothingAway(t *testing.T) {
	const all = "A=" + canary + " B=x a=" + canary
	away := func(_ *testing.T, c *cluster) { delete(c.live, "source") }
	for name, tc := range map[string]struct {
		does       func(*testing.T, *cluster)
		drop       bool
		wantReason string
		wantValues string
		wantKept   bool
	}{
		"its values stay": {does: away, wantReason: "SourceNotFound", wantValues: all, wantKept: true},
		"a source without the key is away as well": {
			does:       func(_ *testing.T, c *cluster) { c.live["source"].Data, c.live["source"].ResourceVersion = nil, "12" },
			wantReason: "SourceNotFound", wantValues: all, wantKept: true,
		},
		"another Secret of that name without the key is away as well": {
			does: func(_ *testing.T, c *cluster) {
				c.live["source"] = &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "source", UID: "other", ResourceVersion: "12"}, Data: map[string][]byte{"x": nil}}
			},
			wantReason: "SourceNotFound", wantValues: all, wantKept: true,
		},
		"its variable gets another name": {
			does:       func(t *testing.T, c *cluster) { away(t, c); c.objects["a"].Spec.EnvName = "Z" },
			wantReason: "SourceNotFound", wantValues: "B=x Z=" + canary + " a=" + canary, wantKept: true,
		},
		"asked to, they are dropped at once": {does: away, drop: true, wantReason: "SourceNotFound", wantValues: "B=x"},
		"it names another source": {
			does:       func(_ *testing.T, c *cluster) { c.objects["a"].Spec.ValueFrom.SecretKeyRef.Name = "other" },
			wantReason: "SourceNotFound", wantValues: "B=x",
		},
		"it names another key": {
			does:       func(_ *testing.T, c *cluster) { c.objects["a"].Spec.ValueFrom.SecretKeyRef.Key = "other" },
			wantReason: "SourceNotFound", wantValues: "B=x",
		},
		"it names a bundle": {
			does:       func(_ *testing.T, c *cluster) { c.objects["a"].Spec.ValueFrom.SecretKeyRef.Name = "latchkey-user-env" },
			wantReason: "SourceNotFound", wantValues: "B=x",
		},
		"it is switched off": {
			does:       func(t *testing.T, c *cluster) { away(t, c); c.objects["a"].Spec.Enabled = new(bool) },
			wantReason: "Disabled", wantValues: "B=x",
		},
		"it is deleted": {does: func(t *testing.T, c *cluster) { away(t, c); delete(c.objects, "a") }, wantValues: "B=x"},
		"another object that takes its names does not get its value": {
			does: func(t *testing.T, c *cluster) {
				away(t, c)
				c.add(t, "a", "", fromSource, withFile, func(u *v1alpha1.UserSecret) { u.UID = "another" })
			},
			wantReason: "SourceNotFound", wantValues: "B=x",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t)
			source := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "source", UID: "1", ResourceVersion: "11"}, Data: map[string][]byte{"token": []byte(canary)}}
			c.live["source"] = source
			c.add(t, "a", "", fromSource, withFile)
			c.add(t, "b", "x")
			if _, _, err := c.reconcile(t, c.reconciler()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&v1alpha1.SecretKeyRef{Name: "source", Key: "token"}, c.objects["a"].Status.Source); diff != "" {
				t.Errorf("the source of the status (-want +got):\n%s", diff)
			}
			tc.does(t, c)
			r := c.reconciler()
			r.DropMissingSources = tc.drop
			for i := range 2 {
				writes, _, err := c.reconcile(t, r)
				if got := c.values(); got != tc.wantValues || err != nil || i > 0 && (len(writes) > 0 || c.opens > 0) {
					t.Fatalf("look %d: %v, wrote %v, the bundles have %s, want %s", i, err, writes, got, tc.wantValues)
				}
			}
			if a := c.objects["a"]; a != nil {
				cond := a.Status.Conditions[0]
				kept := a.Status.Env != nil && a.Status.Source != nil && strings.HasSuffix(cond.Message, "; the value that the bundle has stays in it")
				if cond.Reason != tc.wantReason || kept != tc.wantKept {
					t.Errorf("status %+v, want %s, kept: %t", a.Status, tc.wantReason, tc.wantKept)
				}
			}
			if !tc.wantKept {
				return
			}
			c.live["source"] = &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "source", UID: "2", ResourceVersion: "13"}, Data: map[string][]byte{"token": []byte("back")}}
			if _, _, err := c.reconcile(t, r); err != nil || !strings.Contains(c.values(), "=back") || strings.Contains(c.values(), canary) {
				t.Errorf("%v, and once it is back the bundles have %s", err, c.values())
			}
		})
	}
}

// TestReconcile_AKeyIsLostAfterASource_KeepsNoValueOfTheSource: what is in the bundle is
// not what the object asks for.
func TestReconcile_AKeyIsLostAfterASource_KeepsNoValueOfTheSource(t *testing.T) {
	c := newCluster(t)
	c.live["source"] = &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "source", ResourceVersion: "11"}, Data: map[string][]byte{"token": []byte(canary)}}
	c.add(t, "a", "", fromSource)
	if _, _, err := c.reconcile(t, c.reconciler()); err != nil {
		t.Fatal(err)
	}
	status := c.objects["a"].Status
	c.add(t, "a", "sealed", func(u *v1alpha1.UserSecret) { u.Status = status })
	r := c.reconciler()
	r.Opener = lostKeys{cluster: c, answers: map[string]error{"a": keyring.ErrUnknownKey}}
	if _, _, err := c.reconcile(t, r); err != nil || c.values() != "" {
		t.Errorf("%v, and the bundles have %s, want nothing", err, c.values())
	}
}

// TestAKeptValueOutlivesAnOldStatus has the cache show an object's status as it was
// before its value got another name.
func TestAKeptValueOutlivesAnOldStatus(t *testing.T) {
	c := newCluster(t)
	c.add(t, "a", canary)
	if _, _, err := c.reconcile(t, c.reconciler()); err != nil {
		t.Fatal(err)
	}
	old := c.objects["a"].Status.DeepCopy()
	c.objects["a"].Spec.EnvName = "Z"
	r := c.reconciler()
	r.Opener = lostKeys{cluster: c, answers: map[string]error{"a": keyring.ErrUnknownKey}}
	for range 2 {
		if _, _, err := c.reconcile(t, r); err != nil || c.values() != "Z="+canary {
			t.Fatalf("%v, and the bundles have %s, want Z=%s", err, c.values(), canary)
		}
		old.DeepCopyInto(&c.objects["a"].Status)
		r.memos.forget("alice")
	}
}

func TestABundleThatCannotBeReadLosesNothing(t *testing.T) {
	c := newCluster(t)
	c.add(t, "a", canary)
	if _, _, err := c.reconcile(t, c.reconciler()); err != nil {
		t.Fatal(err)
	}
	c.objects["a"].Spec.EnvName = "Z"
	r := c.reconciler()
	r.Opener = lostKeys{cluster: c, answers: map[string]error{"a": keyring.ErrUnknownKey}}
	broken := errors.New("timeout")
	r.Live = failingReader{broken}
	if writes, _, err := c.reconcile(t, r); !errors.Is(err, broken) || len(writes) > 0 {
		t.Errorf("Reconcile = %v, writes %v, want the error and nothing written", err, writes)
	}
}

// failingReader reads nothing.
type failingReader struct{ err error }

func (f failingReader) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	return f.err
}

func (f failingReader) List(context.Context, client.ObjectList, ...client.ListOption) error {
	return f.err
}

// remove deletes a bundle as a tenant can.
func (c *cluster) remove(name string) {
	delete(c.live, name)
	delete(c.cached, name)
	c.now = c.now.Add(catchUp + time.Millisecond) // the cache may as well not have it yet
}

// values returns what all bundles hold, in order.
func (c *cluster) values() string {
	var out []string
	for _, s := range []*corev1.Secret{c.live["latchkey-user-env"], c.live["latchkey-user-files"]} {
		if s == nil {
			continue
		}
		for _, k := range slices.Sorted(maps.Keys(s.Data)) {
			out = append(out, k+"="+string(s.Data[k]))
		}
	}
	return strings.Join(out, " ")
}
