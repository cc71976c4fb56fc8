// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package caches

import (
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

var live = prometheus.NewGaugeVec(prometheus.GaugeOpts{
	Name: "latchkey_cache_live",
	Help: "1 while the cache follows the API server, 0 while what it has may be old, by cache.",
}, []string{"cache"})

func init() { metrics.Registry.MustRegister(live) }

// Watches knows which of a process's caches follow the API server, and keeps their watches
// going: one that broke is tried again within a second, for as long as it takes. Its zero
// value is ready for use.
type Watches struct {
	mu      sync.Mutex
	caches  map[string][]*follower
	changed chan struct{}
}

// follow makes Watches follow the caches made with o, under name, or under the names of
// their kinds if it is empty. If w is nil, nobody needs to know whether they are live: they
// only come back at once.
func (w *Watches) follow(name string, o cache.Options) cache.Options {
	if w == nil {
		return insist(o)
	}
	o.NewInformer = func(lw toolscache.ListerWatcher, obj runtime.Object, resync time.Duration, indexers toolscache.Indexers) toolscache.SharedIndexInformer {
		called := name
		if called == "" {
			called = kindOf(obj)
		}
		f := &follower{inner: toolscache.ToListerWatcherWithContext(lw), example: obj, known: map[string]string{}}
		f.report = func(up bool) { w.set(f, called, up) }
		w.add(called, f)
		return toolscache.NewSharedIndexInformer(&toolscache.ListWatch{
			ListWithContextFunc: f.list, WatchFuncWithContext: f.watch,
		}, obj, resync, indexers)
	}
	return o
}

// insist makes the informers of a cache list and watch as soon as the API server lets
// them: the library waits up to a minute, longer each time. The rest is the library's,
// which needs less memory than a full [follower] for what is not read right after a write.
func insist(o cache.Options) cache.Options {
	o.NewInformer = func(lw toolscache.ListerWatcher, obj runtime.Object, resync time.Duration, indexers toolscache.Indexers) toolscache.SharedIndexInformer {
		f := &follower{inner: toolscache.ToListerWatcherWithContext(lw), example: obj}
		return toolscache.NewSharedIndexInformer(&toolscache.ListWatch{
			ListWithContextFunc: f.read, WatchFuncWithContext: f.begin,
		}, obj, resync, indexers)
	}
	return o
}

func kindOf(obj runtime.Object) string {
	if m, ok := obj.(*metav1.PartialObjectMetadata); ok {
		return m.Kind
	}
	return typeName(obj)
}

func (w *Watches) add(name string, f *follower) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.caches == nil {
		w.caches = map[string][]*follower{}
	}
	w.caches[name] = append(w.caches[name], f)
	live.WithLabelValues(name).Set(0)
}

func (w *Watches) set(f *follower, name string, up bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if f.up == up {
		return
	}
	f.up = up
	value := 0.0
	if w.isLive(name) {
		value = 1
	}
	live.WithLabelValues(name).Set(value)
	if w.changed != nil {
		close(w.changed)
		w.changed = nil
	}
}

// isLive reports whether all watches of a cache are up. The caller holds mu.
func (w *Watches) isLive(name string) bool {
	return len(w.caches[name]) > 0 && !slices.ContainsFunc(w.caches[name], func(f *follower) bool { return !f.up })
}

// Live reports whether the named caches follow the API server, and returns a channel
// that is closed when any cache starts or stops following.
func (w *Watches) Live(names ...string) (all bool, changed <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.changed == nil {
		w.changed = make(chan struct{})
	}
	return !slices.ContainsFunc(names, func(n string) bool { return !w.isLive(n) }), w.changed
}

// Names returns the names of all caches.
func (w *Watches) Names() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	names := make([]string, 0, len(w.caches))
	for n := range w.caches {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}
