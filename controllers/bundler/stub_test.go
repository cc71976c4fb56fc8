// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/bundle"
	"github.com/latchkey-dev/latchkey/internal/caches"
	"github.com/latchkey-dev/latchkey/internal/digest"
	"github.com/latchkey-dev/latchkey/internal/keyring"
	"github.com/latchkey-dev/latchkey/internal/policy/limits"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

// canary is a value that nothing but a bundle may show.
const canary = "canary-9a3c"

var (
	digestKey, _ = digest.NewKey([]byte("0123456789abcdef0123456789abcdef"))
	secrets      = schema.GroupResource{Resource: "secrets"}
)

// cluster stands for the cache and the API server of one tenant, alice. It writes
// down what is written; what it has no answer for panics.
type cluster struct {
	client.Client

	mu      sync.Mutex
	objects map[string]*v1alpha1.UserSecret
	// cached are the bundles as the cache has them, live all Secrets.
	cached, live map[string]*corev1.Secret
	// version is the last resourceVersion.
	version int
	// writeErr and deleteErr are the answers to writes of bundles.
	writeErr, deleteErr error
	// writes are what was written since the last look, events what was announced.
	writes, events []string
	// mutate, where set, changes what is stored of a bundle that is applied.
	mutate func(*corev1.Secret)
	// now is the time.
	now time.Time
	// opens counts the values that were opened, lists the looks at all objects past the cache.
	opens, lists int
	// openErr is the answer of the keyring, if not nil.
	openErr error
	ring    *keyring.Ring
	// lent has what was read from the cache, and a copy of it.
	lent [][2]client.Object
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	key, err := keyring.NewKey(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	ring := keyring.NewRing(nil)
	ring.Learn([]keyring.Key{key})
	return &cluster{
		objects: map[string]*v1alpha1.UserSecret{}, cached: map[string]*corev1.Secret{}, live: map[string]*corev1.Secret{},
		now:  time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC),
		ring: ring,
	}
}

// reconciler returns a reconciler of user secrets over c.
func (c *cluster) reconciler() *Reconciler {
	users := Users(limits.DefaultUser(), nil, digestKey)
	users.List = func(_ context.Context, from client.Reader, _ string, which ...client.ListOption) ([]Member, error) {
		_, live := from.(liveReader)
		if live {
			c.lists++
		}
		only := (&client.ListOptions{}).ApplyOptions(which).FieldSelector
		var out []Member
		for _, o := range c.objects {
			if only != nil && !only.Matches(fields.Set{"metadata.name": o.Name}) {
				continue
			}
			o = o.DeepCopy()
			if !live {
				o = c.asCached(o)
			}
			c.lent = append(c.lent, [2]client.Object{o, o.DeepCopy()})
			out = append(out, Member{Object: o, Status: &o.Status, Item: bundle.UserItem(o, true)})
		}
		return out, nil
	}
	return &Reconciler{
		Adapter: users,
		Client:  c, Sources: c, Live: liveReader{c}, Opener: c, Events: c, DigestKey: digestKey,
		Now: func() time.Time { return c.now },
	}
}

// asCached returns an object as the controller's cache has it.
func (c *cluster) asCached(o *v1alpha1.UserSecret) *v1alpha1.UserSecret {
	cached, err := caches.Controller(nil, nil).DefaultTransform(o)
	if u, ok := cached.(*v1alpha1.UserSecret); ok && err == nil {
		return u
	}
	return o
}

// add stores an object that has a variable of its name in upper case.
func (c *cluster) add(t *testing.T, name, value string, edits ...func(*v1alpha1.UserSecret)) {
	t.Helper()
	text, err := c.ring.Seal(seal.Context{Kind: "UserSecret", Namespace: "alice", Name: name}, seal.ValueOf(value))
	if err != nil {
		t.Fatal(err)
	}
	u := &v1alpha1.UserSecret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "alice", Name: name, UID: types.UID("uid-" + name), Generation: 1,
			ResourceVersion: fmt.Sprint(len(c.objects) + 1),
		},
		Spec: v1alpha1.UserSecretSpec{EnvName: strings.ToUpper(name), SealedValue: text},
	}
	for _, edit := range edits {
		edit(u)
	}
	c.objects[name] = u
}

// reconcile runs one reconcile and returns what it wrote, sorted.
func (c *cluster) reconcile(t *testing.T, r *Reconciler) ([]string, ctrl.Result, error) {
	t.Helper()
	c.writes, c.events, c.opens, c.lists, c.lent = nil, nil, 0, 0, nil
	r.pace = pace{} // what is written is the matter here, not when
	result, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: types.NamespacedName{Name: "alice"}})
	slices.Sort(c.writes)
	for _, lent := range c.lent {
		if diff := cmp.Diff(lent[1], lent[0]); diff != "" {
			t.Errorf("the cache was changed (-was +is):\n%s", diff)
		}
	}
	return c.writes, result, err
}

func (c *cluster) Open(ctx context.Context, at seal.Context, text string) (seal.Value, error) {
	c.opens++
	if c.openErr != nil {
		return seal.Value{}, c.openErr
	}
	return c.ring.Open(ctx, at, text)
}

func (c *cluster) Knows(ctx context.Context, text string) (bool, error) {
	if c.openErr != nil {
		return false, c.openErr
	}
	return c.ring.Knows(ctx, text)
}

func (c *cluster) Eventf(regarding, _ runtime.Object, eventtype, reason, action, note string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	name := ""
	if o, ok := regarding.(client.Object); ok {
		name = o.GetName()
	}
	c.events = append(c.events, fmt.Sprintf("%s %s %s %s: %s", name, eventtype, reason, action, fmt.Sprintf(note, args...)))
}

func (c *cluster) Get(_ context.Context, key client.ObjectKey, obj client.Object, _ ...client.GetOption) error {
	secret, ok := obj.(*corev1.Secret)
	if !ok {
		return errors.New("not expected")
	}
	err := copied(c.cached, key, secret)
	c.lent = append(c.lent, [2]client.Object{secret, secret.DeepCopy()})
	return err
}

// Of implements Versions.
func (c *cluster) Of(_ context.Context, _, name string) (string, error) {
	if s, ok := c.live[name]; ok {
		return s.ResourceVersion, nil
	}
	return "", nil
}

// Keep implements Versions.
func (c *cluster) Keep(string, []string) {}

func copied(from map[string]*corev1.Secret, key client.ObjectKey, to *corev1.Secret) error {
	s, ok := from[key.Name]
	if !ok {
		return apierrors.NewNotFound(secrets, key.Name)
	}
	s.DeepCopyInto(to)
	return nil
}

// liveReader reads whole Secrets.
type liveReader struct{ *cluster }

func (r liveReader) Get(_ context.Context, key client.ObjectKey, obj client.Object, _ ...client.GetOption) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if secret, ok := obj.(*corev1.Secret); ok {
		return copied(r.live, key, secret)
	}
	return errors.New("not expected")
}

// Create stores a bundle, and at once in the cache.
func (c *cluster) Create(_ context.Context, obj client.Object, _ ...client.CreateOption) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	secret, ok := obj.(*corev1.Secret)
	if !ok {
		return errors.New("not expected")
	}
	c.writes = append(c.writes, "create "+secret.Name)
	if c.writeErr != nil {
		return c.writeErr
	}
	if c.live[secret.Name] != nil {
		return apierrors.NewAlreadyExists(secrets, secret.Name)
	}
	return c.answer(secret.DeepCopy(), secret)
}

// Patch changes a bundle, and at once in the cache.
func (c *cluster) Patch(_ context.Context, obj client.Object, patch client.Patch, _ ...client.PatchOption) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	raw, err := patch.Data(obj)
	to, ok := obj.(*corev1.Secret)
	if err != nil || patch.Type() != types.MergePatchType || !ok {
		return fmt.Errorf("not expected: %w", err)
	}
	c.writes = append(c.writes, "patch "+to.Name+keysOf(raw))
	if c.writeErr != nil {
		return c.writeErr
	}
	stored, err := json.Marshal(c.live[to.Name])
	if err != nil {
		return err
	}
	if stored, err = jsonpatch.MergePatch(stored, raw); err != nil {
		return err
	}
	secret := &corev1.Secret{}
	if err := json.Unmarshal(stored, secret); err != nil {
		return err
	}
	if live := c.live[to.Name]; live == nil || live.ResourceVersion != secret.ResourceVersion || live.UID != secret.UID {
		return apierrors.NewConflict(secrets, to.Name, errors.New("changed"))
	}
	if live := c.live[to.Name]; live.Type != v1alpha1.SecretTypeBundle {
		return apierrors.NewInvalid(schemaKind, to.Name, nil)
	}
	return c.answer(secret, to)
}

// keysOf returns the keys that a patch sets, and those that it takes out with a minus.
func keysOf(patch []byte) string {
	var p struct{ Data map[string]any }
	if err := json.Unmarshal(patch, &p); err != nil {
		return " " + err.Error()
	}
	out := ""
	for _, key := range slices.Sorted(maps.Keys(p.Data)) {
		if p.Data[key] == nil {
			key = "-" + key
		}
		out += " " + key
	}
	return out
}

func (c *cluster) answer(secret, to *corev1.Secret) error {
	if c.mutate != nil {
		if secret.Data == nil {
			secret.Data = map[string][]byte{}
		}
		c.mutate(secret)
	}
	c.store(secret)
	c.live[secret.Name].DeepCopyInto(to)
	return nil
}

func (c *cluster) store(secret *corev1.Secret) {
	c.version++
	secret.UID, secret.ResourceVersion = "uid", fmt.Sprint(c.version)
	c.live[secret.Name] = secret.DeepCopy()
	if cached, err := Digested(digestKey)(secret); err == nil {
		c.cached[secret.Name], _ = cached.(*corev1.Secret)
	}
}

func (c *cluster) Delete(_ context.Context, obj client.Object, opts ...client.DeleteOption) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := (&client.DeleteOptions{}).ApplyOptions(opts)
	c.writes = append(c.writes, "delete "+obj.GetName())
	if p, live := o.Preconditions, c.live[obj.GetName()]; p == nil || *p.UID != live.UID || *p.ResourceVersion != live.ResourceVersion {
		return apierrors.NewConflict(secrets, obj.GetName(), errors.New("changed"))
	}
	if c.deleteErr != nil {
		return c.deleteErr
	}
	delete(c.cached, obj.GetName())
	delete(c.live, obj.GetName())
	return nil
}

func (c *cluster) Status() client.SubResourceWriter { return &statusWriter{cluster: c} }

// statusWriter writes the status of objects.
type statusWriter struct {
	client.SubResourceWriter
	cluster *cluster
}

func (w *statusWriter) Update(_ context.Context, obj client.Object, _ ...client.SubResourceUpdateOption) error {
	w.cluster.mu.Lock()
	defer w.cluster.mu.Unlock()
	u, ok := obj.(*v1alpha1.UserSecret)
	if !ok {
		return errors.New("not expected")
	}
	stored, ok := w.cluster.objects[u.Name]
	if !ok {
		return apierrors.NewNotFound(schema.GroupResource{Resource: "usersecrets"}, u.Name)
	}
	u.Status.DeepCopyInto(&stored.Status)
	reason := ""
	for _, cond := range u.Status.Conditions {
		reason = cond.Reason
	}
	w.cluster.writes = append(w.cluster.writes, "status "+u.Name+" "+reason)
	return nil
}
