// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package keyrotation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	testingclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/binding"
	"github.com/latchkey-dev/latchkey/internal/keyring"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

const canary = "canary-77e0"

func TestNewestOf(t *testing.T) {
	key := func(id string, hours int) keyring.Key {
		return keyring.Key{ID: id, Created: epoch.Add(time.Duration(hours) * time.Hour)}
	}
	for name, tt := range map[string]struct {
		keys []keyring.Key
		want string
	}{
		"of no keys none is the newest":             {nil, ""},
		"one key is the newest":                     {[]keyring.Key{key("a", 1)}, "a"},
		"the last made is, wherever it stands":      {[]keyring.Key{key("a", 1), key("c", 3), key("b", 2)}, "c"},
		"of two made at once the first in order is": {[]keyring.Key{key("b", 1), key("a", 1)}, "b"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := newestOf(tt.keys).ID; got != tt.want {
				t.Errorf("newestOf = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestSuccessorOf(t *testing.T) {
	info := func(id string, hours int) keyring.KeyInfo {
		return keyring.KeyInfo{ID: id, Created: epoch.Add(time.Duration(hours) * time.Hour)}
	}
	all := []keyring.KeyInfo{info("d", 9), info("c", 5), info("b", 5), info("a", 1)}
	for name, tt := range map[string]struct{ of, want string }{
		"the newest has no successor":          {"d", ""},
		"the next made is the successor":       {"c", "d"},
		"a twin is not":                        {"b", "d"},
		"not the newest, but the next made is": {"a", "c"},
	} {
		t.Run(name, func(t *testing.T) {
			k := all[slices.IndexFunc(all, func(k keyring.KeyInfo) bool { return k.ID == tt.of })]
			got, ok := successorOf(k, all)
			if got.ID != tt.want || ok != (tt.want != "") {
				t.Errorf("successorOf = %q, %t, want %q", got.ID, ok, tt.want)
			}
		})
	}
}

// cluster stands for the cache and the API server. What it has no answer for panics.
type cluster struct {
	client.Client
	users  []v1alpha1.UserSecret
	agents []v1alpha1.AgentSecret
	// live are objects as the API server has them, where the cache has something else.
	live    map[string]client.Object
	keys    map[string]*corev1.Secret
	writes  []string
	patches map[string][]map[string]any
	patched error
}

func (c *cluster) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	switch list := list.(type) {
	case *v1alpha1.UserSecretList:
		list.Items = c.users
	case *v1alpha1.AgentSecretList:
		list.Items = c.agents
	case *corev1.SecretList:
		for _, s := range c.keys {
			list.Items = append(list.Items, *s)
		}
	default:
		return errors.New("not expected")
	}
	return nil
}

func (c *cluster) Get(_ context.Context, key client.ObjectKey, obj client.Object, _ ...client.GetOption) error {
	if s, ok := obj.(*corev1.Secret); ok && c.keys[key.Name] != nil {
		c.keys[key.Name].DeepCopyInto(s)
		return nil
	}
	return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
}

// liveReader reads from the API server.
type liveReader struct{ *cluster }

func (r liveReader) Get(_ context.Context, key client.ObjectKey, obj client.Object, _ ...client.GetOption) error {
	switch o := r.live[key.Name].(type) {
	case *v1alpha1.UserSecret:
		if to, ok := obj.(*v1alpha1.UserSecret); ok {
			o.DeepCopyInto(to)
			return nil
		}
	case *v1alpha1.AgentSecret:
		if to, ok := obj.(*v1alpha1.AgentSecret); ok {
			o.DeepCopyInto(to)
			return nil
		}
	}
	return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
}

func (c *cluster) Create(_ context.Context, obj client.Object, _ ...client.CreateOption) error {
	c.writes = append(c.writes, fmt.Sprintf("create %T", obj))
	if s, ok := obj.(*corev1.Secret); ok {
		c.keys[s.Name] = s
	}
	return nil
}

func (c *cluster) Delete(_ context.Context, obj client.Object, _ ...client.DeleteOption) error {
	c.writes = append(c.writes, "delete "+obj.GetName())
	delete(c.keys, obj.GetName())
	return nil
}

func (c *cluster) Patch(_ context.Context, obj client.Object, patch client.Patch, _ ...client.PatchOption) error {
	raw, err := patch.Data(obj)
	if err != nil || patch.Type() != types.JSONPatchType {
		return fmt.Errorf("not expected: %w", err)
	}
	var ops []map[string]any
	if err := json.Unmarshal(raw, &ops); err != nil {
		return err
	}
	c.patches[obj.GetName()] = ops
	return c.patched
}

// fixture returns a controller over an older and a newer key, an hour apart.
func fixture(t *testing.T) (ctrl *Controller, c *cluster, older, newer keyring.Key) {
	t.Helper()
	c = &cluster{keys: map[string]*corev1.Secret{}, patches: map[string][]map[string]any{}}
	ring := keyring.NewRing(nil)
	var keys []keyring.Key
	for i := range 2 {
		key, err := keyring.NewKey(epoch.Add(time.Duration(i) * time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		s := keyring.EncodeSecret(key, "latchkey-system")
		c.keys[s.Name] = s
		keys = append(keys, key)
	}
	ring.Learn(keys)
	return &Controller{
		Client: c, Live: liveReader{c}, Ring: ring, Store: &keyring.Store{Reader: c, Writer: c, Namespace: "latchkey-system"},
		Clock: testingclock.NewFakeClock(epoch.Add(2 * time.Hour)), limiter: rate.NewLimiter(rate.Inf, 1),
	}, c, keys[0], keys[1]
}

func sealWith(t *testing.T, key keyring.Key, kind, name string) string {
	t.Helper()
	at := binding.User("alice", name)
	if kind == "AgentSecret" {
		a := agent(name, "")
		var err error
		if at, err = binding.OfAgent(&a); err != nil {
			t.Fatal(err)
		}
	}
	text, err := seal.Seal(key.Private.Public(), at, seal.ValueOf(canary))
	if err != nil {
		t.Fatal(err)
	}
	return text.String()
}

func meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: "alice", Name: name, UID: types.UID("uid-" + name)}
}

func user(name, sealed string) v1alpha1.UserSecret {
	return v1alpha1.UserSecret{ObjectMeta: meta(name), Spec: v1alpha1.UserSecretSpec{SealedValue: sealed}}
}

// agent returns an AgentSecret whose path is its name.
func agent(name, sealed string) v1alpha1.AgentSecret {
	return v1alpha1.AgentSecret{ObjectMeta: meta(name), Spec: v1alpha1.AgentSecretSpec{
		Path: []string{name}, SecretType: runtime.RawExtension{Raw: []byte(`{"type":"Str"}`)}, SealedValue: sealed,
	}}
}

func TestReseal(t *testing.T) {
	ctrl, c, older, newer := fixture(t)
	foreign, err := keyring.NewKey(epoch)
	if err != nil {
		t.Fatal(err)
	}
	old := sealWith(t, older, "UserSecret", "old")
	c.users = []v1alpha1.UserSecret{
		user("old", old),
		user("new", sealWith(t, newer, "UserSecret", "new")),
		user("copied", old),
		user("foreign", sealWith(t, foreign, "UserSecret", "foreign")),
		user("source", ""),
		user("broken", "lk1.broken"),
	}
	c.agents = []v1alpha1.AgentSecret{agent("agent", sealWith(t, older, "AgentSecret", "agent"))}

	counts, err := ctrl.reseal(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int{older.ID: 3, newer.ID: 1, unknownKey: 1}, counts); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	for id, want := range map[string]float64{older.ID: 3, newer.ID: 1, unknownKey: 1} {
		if got := testutil.ToFloat64(objectsPerKey.vec.WithLabelValues(id)); got != want {
			t.Errorf("the metric of key %s is %v, want %v", id, got, want)
		}
	}
	if len(c.patches) != 2 {
		t.Errorf("%d objects were sealed again, want old and agent alone", len(c.patches))
	}
	ops := c.patches["old"]
	want := []map[string]any{
		{"op": "test", "path": "/metadata/uid", "value": "uid-old"},
		{"op": "test", "path": "/spec/sealedValue", "value": old},
	}
	if len(ops) != 3 || cmp.Diff(want, ops[:2]) != "" || ops[2]["op"] != "replace" || ops[2]["path"] != "/spec/sealedValue" {
		t.Fatalf("the patch is %v, want it for this very ciphertext", ops)
	}
	text, _ := ops[2]["value"].(string)
	if !strings.HasPrefix(text, "lk1."+newer.ID) {
		t.Errorf("the value is sealed with another key than %s", newer.ID)
	}
	value, err := ctrl.Ring.Open(t.Context(), seal.Context{Kind: "UserSecret", Namespace: "alice", Name: "old"}, text)
	if err != nil || !value.Equal(seal.ValueOf(canary)) {
		t.Errorf("the new text does not open to the same value: %v", err)
	}
}

func TestReseal_CacheHasBriefs_ReadsTheTexts(t *testing.T) {
	ctrl, c, older, _ := fixture(t)
	c.live = map[string]client.Object{}
	for _, name := range []string{"same", "changed", "gone"} {
		u, a := user(name+"-user", sealWith(t, older, "UserSecret", name+"-user")), agent(name+"-agent", sealWith(t, older, "AgentSecret", name+"-agent"))
		c.live[u.Name], c.live[a.Name] = u.DeepCopy(), a.DeepCopy()
		u.Spec.SealedValue, a.Spec.SealedValue = seal.Brief(u.Spec.SealedValue), seal.Brief(a.Spec.SealedValue)
		c.users, c.agents = append(c.users, u), append(c.agents, a)
	}
	c.live["changed-user"] = new(user("changed-user", sealWith(t, older, "UserSecret", "changed-user")))
	c.live["changed-agent"] = new(agent("changed-agent", sealWith(t, older, "AgentSecret", "changed-agent")))
	delete(c.live, "gone-user")
	delete(c.live, "gone-agent")
	before := testutil.ToFloat64(resealErrors)
	counts, err := ctrl.reseal(t.Context())
	if err != nil || counts[older.ID] != 6 {
		t.Errorf("%v, and %v counted, want all six under the older key", err, counts)
	}
	if diff := cmp.Diff([]string{"same-agent", "same-user"}, slices.Sorted(maps.Keys(c.patches))); diff != "" {
		t.Errorf("sealed again (-want +got):\n%s", diff)
	}
	for _, name := range []string{"same-user", "same-agent"} {
		if ops := c.patches[name]; len(ops) == 3 && seal.KeyIDOf(fmt.Sprint(ops[1]["value"])) != older.ID {
			t.Errorf("the patch of %s tests %v, want the text that was opened", name, ops[1]["value"])
		}
	}
	if got := testutil.ToFloat64(resealErrors) - before; got != 0 {
		t.Errorf("%v errors counted, want none", got)
	}
}

func TestResealErrors(t *testing.T) {
	gone := apierrors.NewNotFound(schema.GroupResource{}, "old")
	changed := apierrors.NewInvalid(schema.GroupKind{}, "old", nil)
	for name, tt := range map[string]struct {
		answer error
		want   float64
	}{
		"an object that is gone is no error":         {gone, 0},
		"an object that was changed is no error":     {changed, 0},
		"another error is counted and does not stop": {errors.New("timeout"), 1},
	} {
		t.Run(name, func(t *testing.T) {
			ctrl, c, older, _ := fixture(t)
			c.users = []v1alpha1.UserSecret{user("old", sealWith(t, older, "UserSecret", "old"))}
			c.patched = tt.answer
			before := testutil.ToFloat64(resealErrors)
			if _, err := ctrl.reseal(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := testutil.ToFloat64(resealErrors) - before; got != tt.want {
				t.Errorf("%v errors counted, want %v", got, tt.want)
			}
		})
	}
}

func TestRound(t *testing.T) {
	day := 24 * time.Hour
	for name, tt := range map[string]struct {
		options               Options
		sealedWithOld         bool
		asked                 map[string]time.Duration // since when, after the epoch, by key
		wantCreated, wantGone bool
	}{
		"a key that has not come of age stays, and so does the one before": {options: Options{Rotation: day, Retention: day}},
		"a key that has come of age gets a successor":                      {options: Options{Rotation: time.Hour, Retention: day}, wantCreated: true},
		"without rotation no key is made":                                  {options: Options{Retention: day}},
		"a rotation that was asked for is done, of age or not":             {options: Options{Rotation: day}, asked: map[string]time.Duration{"newer": 90 * time.Minute}, wantCreated: true},
		"without rotation too":                                             {asked: map[string]time.Duration{"newer": 90 * time.Minute}, wantCreated: true},
		"one that was asked for before the newest key was made is done":    {asked: map[string]time.Duration{"newer": 30 * time.Minute}},
		"one that was asked for of a key with a successor is done":         {asked: map[string]time.Duration{"older": 90 * time.Minute}},
		"a key that seals nothing is retired after its time":               {options: Options{Retention: time.Hour}, wantGone: true},
		"a key that seals something is not":                                {options: Options{Retention: time.Hour}, sealedWithOld: true},
		"without retention no key is retired":                              {},
	} {
		t.Run(name, func(t *testing.T) {
			ctrl, c, older, newer := fixture(t)
			ctrl.Options = tt.options
			rotationDue.Set(0)
			if tt.sealedWithOld {
				c.users = []v1alpha1.UserSecret{user("old", sealWith(t, older, "UserSecret", "old"))}
			}
			for name, key := range map[string]keyring.Key{"older": older, "newer": newer} {
				if at, has := tt.asked[name]; has {
					c.keys["latchkey-key-"+key.ID].Annotations[keyring.AnnotationRotateRequested] = epoch.Add(at).Format(time.RFC3339)
				}
			}
			if err := ctrl.Round(t.Context()); err != nil {
				t.Fatal(err)
			}
			created := slices.Contains(c.writes, "create *v1.Secret")
			gone := slices.Contains(c.writes, "delete latchkey-key-"+older.ID)
			if created != tt.wantCreated || gone != tt.wantGone {
				t.Errorf("created %t, retired %t, want %t, %t (%v)", created, gone, tt.wantCreated, tt.wantGone, c.writes)
			}
			if slices.Contains(c.writes, "delete latchkey-key-"+newer.ID) {
				t.Error("the newest key is gone")
			}
			var wantDue float64
			switch {
			case created && tt.options.Rotation > 0:
				wantDue = float64(ctrl.Clock.Now().Add(tt.options.Rotation).Unix())
			case tt.options.Rotation > 0:
				wantDue = float64(newer.Created.Add(tt.options.Rotation).Unix())
			}
			metric := &dto.Metric{}
			if err := rotationDue.Write(metric); err != nil || metric.GetGauge().GetValue() != wantDue {
				t.Errorf("the next key is said to be due at %v, not %v (%v)", metric.GetGauge().GetValue(), wantDue, err)
			}
			made := len(c.keys)
			if err := ctrl.Round(t.Context()); err != nil || len(c.keys) > made {
				t.Errorf("the next round: %v, %d keys after %d, want no more", err, len(c.keys), made)
			}
			if created == (ctrl.Ring.NewestID() == newer.ID) {
				t.Errorf("the key that seals is %s, want a new one: %t", ctrl.Ring.NewestID(), created)
			}
		})
	}
}
