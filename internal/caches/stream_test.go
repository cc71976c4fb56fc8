// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package caches

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/ptr"
)

var (
	expired = apierrors.NewResourceExpired("too old")
	down    = apierrors.NewServiceUnavailable("down")
	missing = apierrors.NewNotFound(schema.GroupResource{Resource: "configmaps"}, "")
	invalid = apierrors.NewInvalid(schema.GroupKind{Kind: "ListOptions"}, "", nil)
)

// apiServer plays its part for one follower: each watch that is asked for is the next step.
type apiServer struct {
	mu    sync.Mutex
	steps []step
	asked []string
	// up is what the follower reported, without repetitions.
	up []bool
}

// step is a watch: it fails with err, or sends events and then breaks, or lasts.
type step struct {
	err    error
	events []watch.Event
	lasts  bool
}

func (a *apiServer) follower() *follower {
	f := &follower{inner: a, example: &corev1.ConfigMap{}, known: map[string]string{}}
	f.report = func(up bool) {
		a.mu.Lock()
		defer a.mu.Unlock()
		if len(a.up) == 0 || a.up[len(a.up)-1] != up {
			a.up = append(a.up, up)
		}
	}
	return f
}

// ListWithContext implements cache.ListerWatcherWithContext.
func (*apiServer) ListWithContext(context.Context, metav1.ListOptions) (runtime.Object, error) {
	return &corev1.ConfigMapList{Items: []corev1.ConfigMap{*object("a", "1"), *object("b", "2")}}, nil
}

// WatchWithContext implements cache.ListerWatcherWithContext.
func (a *apiServer) WatchWithContext(_ context.Context, o metav1.ListOptions) (watch.Interface, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	asked := "from " + o.ResourceVersion
	if ptr.Deref(o.SendInitialEvents, false) {
		asked = "all"
	}
	a.asked = append(a.asked, asked)
	s := step{lasts: true}
	if len(a.steps) > 0 {
		s, a.steps = a.steps[0], a.steps[1:]
	}
	if s.err != nil {
		return nil, s.err
	}
	events := make(chan watch.Event, len(s.events))
	for _, e := range s.events {
		events <- e
	}
	if !s.lasts {
		close(events)
	}
	return watch.NewProxyWatcher(events), nil
}

func object(name, version string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: name, ResourceVersion: version}}
}

func sent(kind watch.EventType, name, version string) watch.Event {
	return watch.Event{Type: kind, Object: object(name, version)}
}

// endOfAll is the bookmark after all objects.
func endOfAll(version string) watch.Event {
	o := object("", version)
	o.Annotations = map[string]string{metav1.InitialEventsAnnotationKey: "true"}
	return watch.Event{Type: watch.Bookmark, Object: o}
}

func broken(err *apierrors.StatusError) watch.Event {
	return watch.Event{Type: watch.Error, Object: &err.ErrStatus}
}

// received describes what an informer receives until nothing more comes.
func received(w watch.Interface) []string {
	var got []string
	for {
		synctest.Wait()
		select {
		case e, more := <-w.ResultChan():
			if !more {
				return append(got, "end")
			}
			if e.Type == watch.Error {
				got = append(got, "error "+string(apierrors.ReasonForError(apierrors.FromObject(e.Object))))
				continue
			}
			m, _ := e.Object.(*corev1.ConfigMap)
			got = append(got, string(e.Type)+" "+m.Name+" "+m.ResourceVersion)
		case <-time.After(time.Minute):
			return got
		}
	}
}

// TestWatch_OfAnAPIServerThatFails_IsOneStreamToTheInformer starts with a list of a and b, of
// versions 1 and 2.
func TestWatch_OfAnAPIServerThatFails_IsOneStreamToTheInformer(t *testing.T) {
	for name, tc := range map[string]struct {
		steps           []step
		want, wantAsked []string
		wantUp          []bool
	}{
		"it breaks, and goes on where it was": {
			steps: []step{
				{events: []watch.Event{sent(watch.Modified, "a", "3")}},
				{err: down}, {err: missing},
				{events: []watch.Event{sent(watch.Deleted, "b", "5")}, lasts: true},
			},
			want:      []string{"MODIFIED a 3", "DELETED b 5"},
			wantAsked: []string{"from 2", "from 3", "from 3", "from 3"},
			wantUp:    []bool{false, true, false, true, false},
		},
		"the place is forgotten: deletions come first, then changes by their age, and nothing twice": {
			steps: []step{
				{events: []watch.Event{sent(watch.Added, "c", "3"), broken(expired)}},
				{events: []watch.Event{sent(watch.Added, "d", "9"), sent(watch.Added, "c", "3"), sent(watch.Added, "a", "7"), endOfAll("9")}},
				{events: []watch.Event{sent(watch.Deleted, "a", "10")}, lasts: true},
			},
			want:      []string{"ADDED c 3", "DELETED b 2", "MODIFIED a 7", "ADDED d 9", "BOOKMARK  9", "DELETED a 10"},
			wantAsked: []string{"from 2", "all", "from 9"},
			wantUp:    []bool{false, true, false, true, false, true, false},
		},
		"the place is forgotten while it was broken": {
			steps:     []step{{events: []watch.Event{sent(watch.Modified, "a", "3")}}, {err: down}, {err: expired}, {events: []watch.Event{sent(watch.Added, "a", "3"), sent(watch.Added, "b", "2"), endOfAll("8")}, lasts: true}},
			want:      []string{"MODIFIED a 3", "BOOKMARK  8"},
			wantAsked: []string{"from 2", "from 3", "from 3", "all"},
			wantUp:    []bool{false, true, false, true, false},
		},
		"what is deleted is not deleted again": {
			steps:     []step{{events: []watch.Event{sent(watch.Deleted, "b", "4"), broken(expired)}}, {events: []watch.Event{sent(watch.Added, "a", "1"), endOfAll("8")}, lasts: true}},
			want:      []string{"DELETED b 4", "BOOKMARK  8"},
			wantAsked: []string{"from 2", "all"},
			wantUp:    []bool{false, true, false, true, false},
		},
		"it breaks again before it has sent all": {
			steps:     []step{{events: []watch.Event{broken(expired)}}, {events: []watch.Event{sent(watch.Added, "b", "2")}}, {events: []watch.Event{sent(watch.Added, "b", "2"), endOfAll("8")}, lasts: true}},
			want:      []string{"DELETED a 1", "BOOKMARK  8"},
			wantAsked: []string{"from 2", "all", "all"},
			wantUp:    []bool{false, true, false, true, false},
		},
		"the API server knows no watch lists, so the informer has to list": {
			steps:     []step{{events: []watch.Event{broken(expired)}}, {err: invalid}},
			want:      []string{"error Invalid", "end"},
			wantAsked: []string{"from 2", "all"},
			wantUp:    []bool{false, true, false},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &apiServer{steps: tc.steps}
				f := a.follower()
				if _, err := f.list(t.Context(), metav1.ListOptions{}); err != nil {
					t.Fatal(err)
				}
				w, err := f.watch(t.Context(), metav1.ListOptions{ResourceVersion: "2"})
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tc.want, received(w)); diff != "" {
					t.Errorf("received (-want +got):\n%s", diff)
				}
				w.Stop()
				if diff := cmp.Diff(tc.wantAsked, a.asked); diff != "" {
					t.Errorf("asked for (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(tc.wantUp, a.up); diff != "" {
					t.Errorf("live (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// TestWatch_FirstObjects_AreLiveWhenAllWereSent: before, a reader would miss some.
func TestWatch_FirstObjects_AreLiveWhenAllWereSent(t *testing.T) {
	for name, tc := range map[string]struct {
		events []watch.Event
		lasts  bool
		want   []string
		wantUp []bool
	}{
		"all were sent": {
			events: []watch.Event{sent(watch.Added, "a", "1"), endOfAll("1")}, lasts: true,
			want: []string{"ADDED a 1", "BOOKMARK  1"}, wantUp: []bool{false, true, false},
		},
		"some were sent":                     {events: []watch.Event{sent(watch.Added, "a", "1")}, lasts: true, want: []string{"ADDED a 1"}, wantUp: []bool{false}},
		"it breaks, and the informer begins": {events: []watch.Event{sent(watch.Added, "a", "1")}, want: []string{"ADDED a 1", "end"}, wantUp: []bool{false}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &apiServer{steps: []step{{events: tc.events, lasts: tc.lasts}}}
				w, err := a.follower().watch(t.Context(), metav1.ListOptions{SendInitialEvents: ptr.To(true)})
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tc.want, received(w)); diff != "" {
					t.Errorf("received (-want +got):\n%s", diff)
				}
				w.Stop()
				if diff := cmp.Diff(tc.wantUp, a.up); diff != "" {
					t.Errorf("live (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// TestPersist_APIServerIsAwayForAnHour_IsAskedEverySecond, and no more often.
func TestPersist_APIServerIsAwayForAnHour_IsAskedEverySecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, tries, last := time.Now(), 0, time.Now()
		err := (&apiServer{}).follower().persist(t.Context(), func() error {
			if pause := time.Since(last); pause > 1100*time.Millisecond {
				t.Errorf("it is asked after %s", pause)
			}
			tries, last = tries+1, time.Now()
			if time.Since(began) < time.Hour {
				return down
			}
			return nil
		})
		if err != nil || tries > 5000 {
			t.Errorf("%d tries, %v", tries, err)
		}
	})
	for _, decisive := range []error{expired, invalid} {
		tries := 0
		err := (&apiServer{}).follower().persist(t.Context(), func() error {
			tries++
			return decisive
		})
		if !errors.Is(err, decisive) || tries != 1 {
			t.Errorf("%v: %d tries, %v", decisive, tries, err)
		}
	}
}
