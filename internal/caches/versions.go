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

// Versions knows the versions of those Secrets of tenants that were asked for. Each is
// looked up once, by name. Afterwards the events of all Secrets' metadata show its
// changes; nothing else of them is stored. So memory grows with the Secrets that
// objects take values from, and not with other Secrets.
//
// No change is missed because of this order: a name is recorded before it is looked up,
// and it is looked up only while events are followed from an earlier time. So a change
// after the lookup finds the recorded name. If events were missed, all names are looked
// up again.
type Versions struct {
	client client.WithWatch
	// scopes are the namespaces of the tenants; a single "" means all.
	scopes []string
	// synced is closed once all scopes are followed.
	synced chan struct{}

	mu       sync.Mutex
	views    []*View
	followed map[string]bool // by scope
	all      bool            // true once all are
}

// NewVersions returns the Versions of the Secrets of the tenants, which are the
// namespaces named, or all if tenants is empty. The caller runs Start.
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

// errNotFollowed reports that it is too early to look up anything.
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

// follow follows one scope from now on, until the API server ends the watch for good.
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

// begin forgets what is known about a scope, because earlier events were missed. Askers
// are told to ask again.
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

// observe records the current state of a Secret.
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

// found is what is known about one Secret.
type found struct {
	// version is its resourceVersion, or that of its deletion; "" if it is not known to
	// have existed.
	version string
	gone    bool
	// looked is true after the lookup.
	looked bool
}

// become records a state, unless a later one is known.
func (f *found) become(version string, gone bool) {
	if newer, err := resourceversion.CompareResourceVersion(version, f.version); err != nil || newer > 0 {
		f.version, f.gone = version, gone // the only possible error is that no version is known yet
	}
}

func (f *found) get() string {
	if f.gone {
		return ""
	}
	return f.version
}

// View is the knowledge of one asker.
type View struct {
	of       *Versions
	also     func(name string) bool
	requests func(namespace, name string) []reconcile.Request
	// tell is called when a Secret changed that was asked for, or for which also
	// returns true. Set by Start.
	tell func(namespace, name string)
	// known are the Secrets asked for, by namespace and name.
	known map[string]map[string]*found
}

// Of returns the version of a Secret, or "" if it does not exist.
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
	// An event can have arrived first; then it is newer. If all was forgotten
	// meanwhile, this entry is not used any more, and the asker was told to ask again.
	f.looked = true
	return f.get(), nil
}

// Keep forgets all Secrets of a namespace except those named.
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
