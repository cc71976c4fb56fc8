// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/internal/caches"
)

// replica is the cache of a replica of the server, which is behind by an unpredictable
// while.
type replica struct {
	cache.Cache
	cache.Informer

	mu       sync.Mutex
	objects  map[string]client.Object
	handlers []toolscache.ResourceEventHandler
}

func (r *replica) GetInformer(context.Context, client.Object, ...cache.InformerGetOption) (cache.Informer, error) {
	return r, nil
}

func (r *replica) IndexField(context.Context, client.Object, string, client.IndexerFunc) error {
	return nil
}

func (r *replica) AddEventHandler(h toolscache.ResourceEventHandler) (toolscache.ResourceEventHandlerRegistration, error) {
	r.handlers = append(r.handlers, h)
	return nil, nil //nolint:nilnil // nobody looks at it
}

func (r *replica) Get(_ context.Context, key client.ObjectKey, obj client.Object, _ ...client.GetOption) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return get(r.objects, key, obj)
}

func (r *replica) List(_ context.Context, list client.ObjectList, opts ...client.ListOption) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	fill(r.objects, list, (&client.ListOptions{}).ApplyOptions(opts))
	return nil
}

// follow takes every write in a namespace in, or every write where it is "", one by one,
// until the API server is closed.
func (r *replica) follow(s *apiServer, namespace string) {
	for next := 0; ; next++ {
		s.mu.Lock()
		for (s.stopped || next == len(s.log)) && !s.closed {
			s.written.Wait()
		}
		if next == len(s.log) {
			s.mu.Unlock()
			return
		}
		c := s.log[next]
		s.mu.Unlock()
		c.object = transformed(c.object)
		if namespace != "" && namespace != c.object.GetNamespace() {
			continue
		}
		for range rand.IntN(50) { //nolint:gosec // a delay, not a secret
			runtime.Gosched()
		}
		r.mu.Lock()
		if r.objects[c.key] = c.object; c.deleted {
			delete(r.objects, c.key)
		}
		r.mu.Unlock()
		for _, h := range r.handlers {
			if c.deleted {
				h.OnDelete(c.object)
			} else {
				h.OnUpdate(nil, c.object)
			}
		}
	}
}

// transformed returns what a server's cache stores of an object.
func transformed(obj client.Object) client.Object {
	got, err := caches.Server(nil, &caches.Watches{}).DefaultTransform(copyOf(obj))
	if err != nil {
		panic(err)
	}
	return got.(client.Object) //nolint:forcetypeassert // it is given one
}

// start runs a store on an API server until the test ends. It watches the namespaces, each
// by itself, or all at once.
func start[S any](t *testing.T, newStore func(Options) (S, *core), namespaces ...string) (*apiServer, S) {
	t.Helper()
	s := newAPIServer()
	r := &replica{objects: map[string]client.Object{}}
	store, _ := newStore(Options{Cache: r, Namespaces: namespaces, Live: s, Keyring: sized{}})
	var following sync.WaitGroup
	for namespace := range newTrackers(namespaces) {
		following.Go(func() { r.follow(s, namespace) })
	}
	t.Cleanup(func() {
		s.mu.Lock()
		s.closed = true
		s.written.Broadcast()
		s.mu.Unlock()
		following.Wait()
	})
	return s, store
}
