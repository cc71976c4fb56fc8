// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package caches

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// Versions knows the versions of those Secrets of tenants that somebody has asked for. Each
// is looked up once, by name. Then the API server's events about all Secrets' metadata say
// how it changes, and nothing else of them is kept: memory grows with the Secrets that
// objects take values from, and not with those that others have.
//
// That no change is missed rests on this order: a name is noted before it is looked up, and
// it is looked up only while events are followed from an earlier time on. So a change after
// the look-up finds the name noted. Where events were missed, all is looked up again.
type Versions struct {
	client client.WithWatch
	// scopes are the namespaces of the tenants; all where the only one is "".
	scopes []string
	// synced is closed once all scopes are followed.
	synced chan struct{}

	mu       sync.Mutex
	views    []*View
	followed map[string]bool // by scope
	all      bool            // once all are
}

// NewVersions returns what knows of the Secrets of the tenants, which are the namespaces
// named, or all where none is named. The caller runs Start.
func NewVersions(cfg *rest.Config, scheme *runtime.Scheme, tenants []string) (*Versions, error) {
	c, err := client.NewWithWatch(cfg, client.Options{Scheme: scheme})
	if err != nil {
		return nil, err
	}
	return newVersions(c, tenants), nil
}

func newVersions(c client.WithWatch, tenants []string) *Versions {
	v := &Versions{client: c, scopes: tenants, followed: map[string]bool{}, synced: make(chan struct{})}
	if len(tenants) == 0 {
		v.scopes = []string{metav1.NamespaceAll}
	}
	return v
}

// errNotFollowed says that it is too early to look up anything.
var errNotFollowed = errors.New("events of Secrets are not followed yet")

// Start follows the API server until ctx ends.
func (v *Versions) Start(ctx context.Context) error {
	var all sync.WaitGroup
	for _, scope := range v.scopes {
		all.Go(func() {
			pauses := wait.Backoff{Duration: firstPause, Factor: 2, Jitter: 0.1, Steps: 100, Cap: longestPause}
			for ctx.Err() == nil {
				began := time.Now()
				if err := v.follow(ctx, scope); err != nil && ctx.Err() == nil {
					klog.FromContext(ctx).Info("Secrets cannot be followed, trying again", "reason", apierrors.ReasonForError(err))
				}
				if time.Since(began) > time.Minute {
					pauses.Duration = firstPause
				}
				timer := time.NewTimer(pauses.Step())
				select {
				case <-timer.C:
				case <-ctx.Done():
					timer.Stop()
				}
			}
		})
	}
	all.Wait()
	return nil
}

// follow follows one scope from now on, for as long as the API server can tell what comes.
func (v *Versions) follow(ctx context.Context, scope string) error {
	list := secretList()
	if err := v.client.List(ctx, list, client.InNamespace(scope), client.Limit(1)); err != nil {
		return fmt.Errorf("list: %w", err)
	}
	watcher, err := watchtools.NewRetryWatcherWithContext(ctx, list.ResourceVersion, toolscache.ToWatcherWithContext(&toolscache.ListWatch{
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			return v.client.Watch(ctx, secretList(), &client.ListOptions{Namespace: scope, Raw: &o})
		},
	}))
	if err != nil {
		return err
	}
	defer watcher.Stop()
	v.begin(scope)
	for event := range watcher.ResultChan() {
		if event.Type == watch.Error {
			return apierrors.FromObject(event.Object)
		}
		if m, err := meta.Accessor(event.Object); err == nil && event.Type != watch.Bookmark {
			v.observe(m, event.Type == watch.Deleted)
		}
	}
	return nil
}

func secretList() *metav1.PartialObjectMetadataList {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
	return list
}

// begin forgets what is known of a scope that is followed from now on: what came before is
// not. Whoever asked is told to ask again.
func (v *Versions) begin(scope string) {
	v.mu.Lock()
	v.followed[scope] = true
	if first := len(v.followed) == len(v.scopes) && !v.all; first {
		v.all = true
		close(v.synced)
	}
	var tell []func()
	for _, view := range v.views {
		for namespace, names := range view.known {
			if scope != metav1.NamespaceAll && scope != namespace {
				continue
			}
			delete(view.known, namespace)
			for name := range names {
				tell = append(tell, func() { view.tell(namespace, name) })
			}
		}
	}
	v.mu.Unlock()
	for _, t := range tell {
		t()
	}
}

// observe notes how a Secret is now.
func (v *Versions) observe(m metav1.Object, gone bool) {
	v.mu.Lock()
	var tell []*View
	for _, view := range v.views {
		f, asked := view.known[m.GetNamespace()][m.GetName()]
		if asked {
			f.become(m.GetResourceVersion(), gone)
		}
		if asked || view.also(m.GetName()) {
			tell = append(tell, view)
		}
	}
	v.mu.Unlock()
	for _, view := range tell {
		view.tell(m.GetNamespace(), m.GetName())
	}
}

// isFollowed reports whether events of a namespace are followed. The caller holds mu.
func (v *Versions) isFollowed(namespace string) bool {
	return v.followed[metav1.NamespaceAll] || v.followed[namespace]
}

// found is what is known of one Secret.
type found struct {
	// version is its resourceVersion, or that of its deletion; "" where it is not known to
	// have been there.
	version string
	gone    bool
	// looked: it was looked up.
	looked bool
}

// become takes in what was seen, unless something later was seen before.
func (f *found) become(version string, gone bool) {
	if newer, err := resourceversion.CompareResourceVersion(version, f.version); err != nil || newer > 0 {
		f.version, f.gone = version, gone // the error is that there is no version yet
	}
}

func (f *found) get() string {
	if f.gone {
		return ""
	}
	return f.version
}

// View is what one asker knows.
type View struct {
	of       *Versions
	also     func(name string) bool
	requests func(namespace, name string) []reconcile.Request
	// tell is called when a Secret changed that was asked for, or that also names. Set by
	// Start.
	tell func(namespace, name string)
	// known are the Secrets asked for, by namespace and name.
	known map[string]map[string]*found
}

// Of returns the version of a Secret, or "" where it does not exist.
func (w *View) Of(ctx context.Context, namespace, name string) (string, error) {
	w.of.mu.Lock()
	if !w.of.isFollowed(namespace) {
		w.of.mu.Unlock()
		return "", errNotFollowed
	}
	f := w.known[namespace][name]
	if f != nil && f.looked {
		defer w.of.mu.Unlock()
		return f.get(), nil
	}
	if f == nil {
		f = &found{}
		if w.known[namespace] == nil {
			w.known[namespace] = map[string]*found{}
		}
		w.known[namespace][name] = f
	}
	w.of.mu.Unlock()

	m := &metav1.PartialObjectMetadata{}
	m.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	err := w.of.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, m)
	if client.IgnoreNotFound(err) != nil {
		return "", fmt.Errorf("get metadata of Secret %s: %w", name, err)
	}
	w.of.mu.Lock()
	defer w.of.mu.Unlock()
	if err == nil {
		f.become(m.ResourceVersion, false)
	}
	// Events can have been faster: then they know better. If all was forgotten meanwhile,
	// nobody asks what this knows, and the asker was told to ask again.
	f.looked = true
	return f.get(), nil
}

// Keep forgets all Secrets of a namespace but those named.
func (w *View) Keep(namespace string, names []string) {
	w.of.mu.Lock()
	defer w.of.mu.Unlock()
	for name := range w.known[namespace] {
		if !slices.Contains(names, name) {
			delete(w.known[namespace], name)
		}
	}
	if len(w.known[namespace]) == 0 {
		delete(w.known, namespace)
	}
}
