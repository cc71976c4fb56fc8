// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package caches

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// secretsAPI stands for the API server: it has Secrets' versions, and events as a test sends them.
type secretsAPI struct {
	client.WithWatch

	mu       sync.Mutex
	versions map[string]string // by name
	now      string
	events   *watch.FakeWatcher
	looked   []string
	// before, where set, is called before a look-up is answered.
	before func()
}

func (s *secretsAPI) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	list.SetResourceVersion(s.now)
	return nil
}

func (s *secretsAPI) Watch(context.Context, client.ObjectList, ...client.ListOption) (watch.Interface, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = watch.NewFake()
	return s.events, nil
}

func (s *secretsAPI) Get(_ context.Context, key client.ObjectKey, obj client.Object, _ ...client.GetOption) error {
	s.mu.Lock()
	s.looked = append(s.looked, key.Name)
	version, ok := s.versions[key.Name]
	s.mu.Unlock()
	if s.before != nil {
		s.before()
	}
	if !ok {
		return apierrors.NewNotFound(schema.GroupResource{Resource: "secrets"}, key.Name)
	}
	obj.SetResourceVersion(version)
	return nil
}

func event(kind watch.EventType, name, version string) watch.Event {
	m := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: "alice", Name: name, ResourceVersion: version}}
	return watch.Event{Type: kind, Object: m}
}

// following runs f with a view in a bubble, once events are followed.
func following(t *testing.T, api *secretsAPI, f func(t *testing.T, w *View, queued func() []string)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		api.now = "10"
		v := newVersions(api, nil)
		w := v.View(func(name string) bool { return name == "bundle" }, func(namespace, name string) []reconcile.Request {
			return []reconcile.Request{{NamespacedName: types.NamespacedName{Name: namespace + "/" + name}}}
		})
		q := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
		if err := w.Start(ctx, q); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Of(ctx, "alice", "a"); err == nil {
			t.Error("a version is told before events are followed")
		}
		done := make(chan error, 1)
		go func() { done <- v.Start(ctx) }()
		if err := w.WaitForSync(ctx); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		f(t, w, func() (names []string) {
			for q.Len() > 0 {
				r, _ := q.Get()
				q.Done(r)
				names = append(names, r.Name)
			}
			slices.Sort(names)
			return names
		})
		cancel()
		q.ShutDown()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// of asks for a version.
func of(t *testing.T, w *View, name string) string {
	t.Helper()
	version, err := w.Of(t.Context(), "alice", name)
	if err != nil {
		t.Fatal(err)
	}
	return version
}

func TestVersions_WhatIsAskedFor_IsLookedUpOnceAndFollowed(t *testing.T) {
	api := &secretsAPI{versions: map[string]string{"a": "5"}}
	following(t, api, func(t *testing.T, w *View, queued func() []string) {
		for range 2 {
			if got := of(t, w, "a") + of(t, w, "none"); got != "5" {
				t.Errorf("versions are %q, want that of a alone", got)
			}
		}
		if diff := cmp.Diff([]string{"a", "none"}, api.looked); diff != "" {
			t.Errorf("looked up (-want +got):\n%s", diff)
		}
		for _, e := range []watch.Event{
			event(watch.Modified, "a", "11"), event(watch.Added, "none", "12"), event(watch.Added, "foreign", "13"),
			event(watch.Modified, "bundle", "14"),
		} {
			api.events.Action(e.Type, e.Object)
		}
		synctest.Wait()
		if got := of(t, w, "a") + of(t, w, "none"); got != "1112" {
			t.Errorf("versions are %q, want 11 and 12", got)
		}
		if diff := cmp.Diff([]string{"alice/a", "alice/bundle", "alice/none"}, queued()); diff != "" {
			t.Errorf("reconciled (-want +got):\n%s", diff)
		}
		api.events.Action(watch.Deleted, event(watch.Deleted, "a", "15").Object)
		synctest.Wait()
		if got := of(t, w, "a"); got != "" {
			t.Errorf("the version of a deleted Secret is %q", got)
		}
		if len(api.looked) != 2 {
			t.Errorf("looked up again: %v", api.looked)
		}
		w.Keep("alice", []string{"none"})
		w.Keep("bob", nil)
		if diff := cmp.Diff(1, len(w.known["alice"])); diff != "" {
			t.Errorf("known (-want +got):\n%s", diff)
		}
		w.Keep("alice", nil)
		if len(w.known) != 0 {
			t.Errorf("%v is remembered, and nobody asks for it", w.known)
		}
	})
}

// TestVersions_EventsDuringALookUp_KnowBetter has an event come between a look-up and its answer.
func TestVersions_EventsDuringALookUp_KnowBetter(t *testing.T) {
	for name, tt := range map[string]struct {
		there map[string]string
		event watch.Event
		want  string
	}{
		"a later version":             {map[string]string{"a": "12"}, event(watch.Modified, "a", "13"), "13"},
		"an earlier version":          {map[string]string{"a": "12"}, event(watch.Modified, "a", "11"), "12"},
		"the deletion":                {map[string]string{"a": "12"}, event(watch.Deleted, "a", "13"), ""},
		"the deletion of another one": {map[string]string{"a": "12"}, event(watch.Deleted, "a", "11"), "12"},
		"the creation":                {nil, event(watch.Added, "a", "13"), "13"},
	} {
		t.Run(name, func(t *testing.T) {
			api := &secretsAPI{versions: tt.there}
			api.before = func() {
				api.events.Action(tt.event.Type, tt.event.Object)
				synctest.Wait()
			}
			following(t, api, func(t *testing.T, w *View, _ func() []string) {
				if got := of(t, w, "a"); got != tt.want {
					t.Errorf("the version is %q, want %q", got, tt.want)
				}
				if got := of(t, w, "a"); got != tt.want {
					t.Errorf("and then it is %q, want %q", got, tt.want)
				}
			})
		})
	}
}

func TestVersions_EventsWereMissed_AllIsLookedUpAgain(t *testing.T) {
	api := &secretsAPI{versions: map[string]string{"a": "5"}}
	following(t, api, func(t *testing.T, w *View, queued func() []string) {
		of(t, w, "a")
		api.mu.Lock()
		api.versions["a"] = "20"
		api.now = "30"
		api.mu.Unlock()
		api.events.Error(&metav1.Status{Status: metav1.StatusFailure, Code: http.StatusGone, Reason: metav1.StatusReasonGone})
		<-time.After(2 * time.Second)
		synctest.Wait()
		if diff := cmp.Diff([]string{"alice/a"}, queued()); diff != "" {
			t.Errorf("reconciled (-want +got):\n%s", diff)
		}
		if got := of(t, w, "a"); got != "20" {
			t.Errorf("the version is %q, want 20", got)
		}
	})
}
