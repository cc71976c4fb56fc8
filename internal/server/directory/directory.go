// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package directory finds the users and agent environments of the cluster: Namespaces
// with Latchkey's labels. It reads the metadata of Namespaces from a cache, and from
// the API server what the cache does not have. It writes nothing.
package directory

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/recheck"
	"github.com/latchkey-dev/latchkey/internal/server/store"
)

// ErrUnknown is the answer for a key without a user or environment. Every other error
// of a [Directory] wraps [store.ErrUnavailable].
var ErrUnknown = errors.New("no such user or environment")

// Tenant is a Namespace that is a user or an environment.
type Tenant struct {
	// Namespace is its name.
	Namespace string
	// ID is the user's or environment's id.
	ID string
	// Name is the username or the environment's name.
	Name string
	// Created is when the Namespace was created.
	Created time.Time
	// Own reports that a user was found for a caller who is that user.
	Own bool
}

// Self is the key of the caller's own user.
const Self = "me"

// Nobody returns a tenant that does not exist, one for each key. If a key belongs to no
// tenant, rights are checked in its Namespace, so that the refusal takes the same work
// as for a tenant that the caller may not see. The name is derived from the key,
// because reviews are cached: two unknown keys take the work of two tenants.
func Nobody(key string) Tenant {
	sum := sha256.Sum256([]byte(key))
	return Tenant{Namespace: "latchkey-nobody-" + hex.EncodeToString(sum[:16])}
}

// Directory finds tenants. It is safe for concurrent use.
type Directory struct {
	cache cache.Cache
	log   logr.Logger
	// only has the names of the Namespaces that can be tenants; nil means all.
	only []string
	// live reads the tenants from the API server.
	live *recheck.Lookups[struct{}, index]

	mu    sync.Mutex
	stale bool
	index index
}

// index has the tenants by their keys.
type index struct {
	bySubject, byUserID, byUsername, byEnvironmentID map[string]Tenant
	// inNamespace are the environments by Namespace.
	inNamespace map[string]Tenant
}

// New returns a directory that follows the Namespaces in c, which may not have been
// started yet. It asks live, the API server, for what c does not have. only are the
// names of the Namespaces that can be tenants; empty means all.
func New(ctx context.Context, c cache.Cache, live client.Reader, log logr.Logger, only []string) (*Directory, error) {
	d := &Directory{cache: c, log: log.WithName("directory"), only: only, stale: true}
	d.live = recheck.New(func(ctx context.Context, _ struct{}) (index, error) {
		items, err := list(ctx, live)
		if err != nil {
			return index{}, err
		}
		return d.build(items, logr.Discard()), nil // the index of the cache reports it, once
	})
	informer, err := c.GetInformer(ctx, namespaceMeta(), cache.BlockUntilSynced(false))
	if err != nil {
		return nil, fmt.Errorf("watch Namespaces: %w", err)
	}
	_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { d.invalidate() },
		UpdateFunc: func(old, obj any) { d.changed(old, obj) },
		DeleteFunc: func(any) { d.invalidate() },
	})
	return d, err
}

// list reads the metadata of all Namespaces. The result must not be changed.
func list(ctx context.Context, r client.Reader) ([]metav1.PartialObjectMetadata, error) {
	l := &metav1.PartialObjectMetadataList{}
	l.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("NamespaceList"))
	if err := r.List(ctx, l, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list Namespaces: %w", err)
	}
	return l.Items, nil
}

func namespaceMeta() *metav1.PartialObjectMetadata {
	m := &metav1.PartialObjectMetadata{}
	m.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	return m
}

func (d *Directory) invalidate() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stale = true
}

// changed invalidates the index only if a label or annotation of ours changed.
func (d *Directory) changed(old, obj any) {
	was, ok := old.(*metav1.PartialObjectMetadata)
	is, ok2 := obj.(*metav1.PartialObjectMetadata)
	if ok && ok2 && slices.Equal(facts(was), facts(is)) {
		return
	}
	d.invalidate()
}

func facts(m *metav1.PartialObjectMetadata) []string {
	// Compare the subjects, not the annotation: an empty annotation differs from a
	// missing one.
	return append([]string{
		string(m.UID), m.Labels[v1alpha1.LabelUser], m.Labels[v1alpha1.LabelUserID],
		m.Labels[v1alpha1.LabelEnvironment], m.Labels[v1alpha1.LabelEnvironmentID],
	}, subjects(m, m.Labels[v1alpha1.LabelUser])...)
}

// User returns the user that key names: [Self] is the user whose subjects include
// caller, a Kubernetes user name; anything else is a user's id or else a username.
func (d *Directory) User(ctx context.Context, caller, key string) (Tenant, error) {
	if key == Self {
		t, err := d.find(ctx, key, bySubject(caller))
		t.Own = err == nil // the cache may not have it yet
		return t, err
	}
	t, err := d.find(ctx, key, func(i index) (Tenant, bool) {
		if t, ok := i.byUserID[strings.ToLower(key)]; ok {
			return t, true
		}
		t, ok := i.byUsername[key]
		return t, ok
	})
	own, cerr := d.known(ctx, bySubject(caller))
	if cerr != nil && !errors.Is(cerr, ErrUnknown) {
		return Tenant{}, cerr
	}
	t.Own = own.Namespace == t.Namespace
	return t, err
}

// Environment returns the environment with an id.
func (d *Directory) Environment(ctx context.Context, id string) (Tenant, error) {
	return d.find(ctx, id, func(i index) (Tenant, bool) { t, ok := i.byEnvironmentID[strings.ToLower(id)]; return t, ok })
}

// EnvironmentIn returns the environment of a Namespace.
func (d *Directory) EnvironmentIn(ctx context.Context, namespace string) (Tenant, error) {
	return d.find(ctx, namespace, func(i index) (Tenant, bool) { t, ok := i.inNamespace[namespace]; return t, ok })
}

// Refresh does the work of a lookup that the cache cannot answer. It is for refusals
// that must not differ from the answer about a tenant that does not exist.
func (d *Directory) Refresh(ctx context.Context) error {
	_, err := d.lookUp(ctx)
	return err
}

func bySubject(subject string) func(index) (Tenant, bool) {
	return func(i index) (Tenant, bool) { t, ok := i.bySubject[subject]; return t, ok }
}

// find looks in the cache, and then at the API server: a Namespace that was created a
// moment ago may not be in the cache yet. If no tenant has the key, it returns
// ErrUnknown and [Nobody].
func (d *Directory) find(ctx context.Context, key string, look func(index) (Tenant, bool)) (Tenant, error) {
	t, err := d.known(ctx, look)
	if !errors.Is(err, ErrUnknown) {
		return t, err
	}
	now, err := d.lookUp(ctx)
	if err != nil {
		return Tenant{}, err
	}
	t, ok := look(now)
	if !ok {
		return Nobody(key), ErrUnknown
	}
	return t, nil
}

// lookUp reads the tenants from the API server.
func (d *Directory) lookUp(ctx context.Context) (index, error) {
	now, err := d.live.Do(ctx, struct{}{})
	return now, away(err)
}

// away reports that the API server could not be asked.
func away(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
}

// known looks only in the cache.
func (d *Directory) known(ctx context.Context, look func(index) (Tenant, bool)) (Tenant, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stale {
		items, err := list(ctx, d.cache)
		if err != nil {
			return Tenant{}, away(err)
		}
		d.index = d.build(items, d.log)
		d.stale = false
	}
	t, ok := look(d.index)
	if !ok {
		return Tenant{}, ErrUnknown
	}
	return t, nil
}

// build indexes the Namespaces. The oldest one that claims a key holds it; the others
// are logged.
func (d *Directory) build(items []metav1.PartialObjectMetadata, log logr.Logger) index {
	items = slices.Clone(items)
	slices.SortFunc(items, func(a, b metav1.PartialObjectMetadata) int {
		if n := a.CreationTimestamp.Compare(b.CreationTimestamp.Time); n != 0 {
			return n
		}
		return strings.Compare(string(a.UID), string(b.UID))
	})
	i := index{bySubject: map[string]Tenant{}, byUserID: map[string]Tenant{}, byUsername: map[string]Tenant{}, byEnvironmentID: map[string]Tenant{}, inNamespace: map[string]Tenant{}}
	for k := range items {
		m := &items[k]
		if len(d.only) > 0 && !slices.Contains(d.only, m.Name) {
			continue
		}
		if name := m.Labels[v1alpha1.LabelUser]; name != "" {
			t := Tenant{Namespace: m.Name, Name: name, ID: id(m, v1alpha1.LabelUserID), Created: m.CreationTimestamp.UTC()}
			claim(log, i.byUsername, "username", name, t)
			claim(log, i.byUserID, "user id", t.ID, t)
			for _, subject := range subjects(m, name) {
				claim(log, i.bySubject, "subject", subject, t)
			}
		}
		if name := m.Labels[v1alpha1.LabelEnvironment]; name != "" {
			t := Tenant{Namespace: m.Name, Name: name, ID: id(m, v1alpha1.LabelEnvironmentID), Created: m.CreationTimestamp.UTC()}
			if claim(log, i.byEnvironmentID, "environment id", t.ID, t) {
				i.inNamespace[t.Namespace] = t
			}
		}
	}
	return i
}

// claim gives key to t, unless an older Namespace holds it.
func claim(log logr.Logger, table map[string]Tenant, what, key string, t Tenant) bool {
	if holder, taken := table[key]; taken {
		log.Info("Namespace claims what an older one holds", "what", what, "key", key, "namespace", t.Namespace, "holder", holder.Namespace)
		return false
	}
	table[key] = t
	return true
}

func id(m *metav1.PartialObjectMetadata, label string) string {
	if v := m.Labels[label]; v != "" {
		return strings.ToLower(v)
	}
	return string(m.UID)
}

// subjects returns the Kubernetes user names of the user.
func subjects(m *metav1.PartialObjectMetadata, username string) []string {
	text, ok := m.Annotations[v1alpha1.AnnotationSubjects]
	if !ok {
		return []string{username}
	}
	var out []string
	for line := range strings.Lines(text) {
		if s := strings.TrimSpace(line); s != "" {
			out = append(out, s)
		}
	}
	return out
}
