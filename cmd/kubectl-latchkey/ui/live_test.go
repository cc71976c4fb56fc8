// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package ui

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
)

// followed is a source on watches that a test answers, in a time of its own.
type followed struct {
	begun int
	said  []string
	now   atomic.Pointer[watch.FakeWatcher]
}

// tell lets a source run for a time, in which do happens, on watches that answer begins or refuses.
func tell(t *testing.T, from source, d time.Duration, answer func(n int) error, do func(*followed)) *followed {
	t.Helper()
	f := &followed{}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		news := make(chan string)
		from.watches = []begin{func(context.Context) (watch.Interface, error) {
			f.begun++
			if err := answer(f.begun); err != nil {
				return nil, err
			}
			now := watch.NewFake()
			context.AfterFunc(ctx, now.Stop)
			f.now.Store(now)
			return now, nil
		}}
		go from.tell(ctx, news)
		go func() {
			for {
				select {
				case event := <-news:
					f.said = append(f.said, event)
				case <-ctx.Done():
					return
				}
			}
		}()
		synctest.Wait()
		do(f)
		<-time.After(d) // of the bubble's time
		synctest.Wait()
		cancel()
		synctest.Wait()
	})
	return f
}

func begins(int) error { return nil }

func nothing(*followed) {}

func TestSource_Idle_AsksOnceAndSaysNothing(t *testing.T) {
	f := tell(t, source{event: eventPods, gap: 5 * time.Second}, 10*time.Minute, begins, nothing)
	if f.begun != 1 || len(f.said) != 0 {
		t.Errorf("in ten minutes of an idle page: %d watches, said %q", f.begun, f.said)
	}
}

func TestSource_ManyChanges_AreFewMessages(t *testing.T) {
	change := func(f *followed) { f.now.Load().Modify(&corev1.Pod{}) }
	f := tell(t, source{event: eventPods, gap: 5 * time.Second}, 0, begins, func(f *followed) {
		for range 600 { // for a minute, ten in a second
			change(f)
			<-time.After(100 * time.Millisecond)
		}
	})
	if n := len(f.said); n < 10 || n > 13 {
		t.Errorf("600 changes within a minute were %d messages, want one in 5 seconds", n)
	}
	f = tell(t, source{event: eventPods, gap: 5 * time.Second}, 6*time.Second, begins, func(f *followed) {
		change(f)
		<-time.After(300 * time.Millisecond) // it is told of, and the gap has begun
		change(f)
	})
	if len(f.said) != 2 {
		t.Errorf("the change amid the gap was lost: %q", f.said)
	}
}

func TestSource_WatchThatFails_IsBegunAgainMoreAndMoreSeldom(t *testing.T) {
	f := tell(t, source{event: eventChanged, gap: time.Second}, 10*time.Minute, func(int) error { return errors.New("connection refused") }, nothing)
	if f.begun > 45 || f.begun < 35 {
		t.Errorf("%d watches in ten minutes without a cluster", f.begun)
	}
	if f.said[0] != eventDown {
		t.Errorf("said %q", f.said)
	}
	f = tell(t, source{event: eventChanged, gap: time.Second}, time.Minute, func(n int) error {
		if n <= 3 {
			return apierrors.NewServiceUnavailable("starting")
		}
		return nil
	}, nothing)
	if said := strings.Join(f.said, " "); f.begun != 4 || said != "down down down changed" {
		t.Errorf("%d watches, want one after each failure; said %q, want that the cluster is back", f.begun, said)
	}
}

func TestSource_WatchThatEnds_SaysThatSomethingMayHaveChanged(t *testing.T) {
	f := tell(t, source{event: eventChanged, gap: time.Second}, 5*time.Second, begins, func(f *followed) {
		<-time.After(time.Minute)
		f.now.Load().Stop()
	})
	if f.begun != 2 || strings.Join(f.said, " ") != eventChanged {
		t.Errorf("%d watches, said %q", f.begun, f.said)
	}
	f = tell(t, source{event: eventChanged, gap: time.Second}, 0, begins, func(f *followed) {
		for begun := time.Now(); time.Since(begun) < 10*time.Minute; {
			<-time.After(100 * time.Millisecond)
			synctest.Wait()
			f.now.Load().Stop() // each at once
		}
	})
	if f.begun > 45 {
		t.Errorf("%d watches in ten minutes that end each at once", f.begun)
	}
}

func TestSource_WatchThatIsRefused_IsNotAskedForAgain(t *testing.T) {
	forbidden := func(int) error { return apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "", nil) }
	for refused, want := range map[string]string{eventLost: eventLost, "": ""} {
		f := tell(t, source{event: eventChanged, gap: time.Second, refused: refused}, 10*time.Minute, forbidden, nothing)
		if f.begun != 1 || strings.Join(f.said, " ") != want {
			t.Errorf("%d watches, said %q, want %q", f.begun, f.said, want)
		}
	}
}

// silent is a watch of which nothing comes.
func silent(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

func TestPage_Events_FollowWhatTheScreenShows(t *testing.T) {
	for path, want := range map[string]map[string]bool{
		"/ns/alice/events":      {"/namespaces/alice/usersecrets": true, "/namespaces/alice/agentsecrets": true},
		"/ns/alice/events?pods": {"/namespaces/alice/usersecrets": true, "/namespaces/alice/agentsecrets": true, "/api/v1/namespaces/alice/pods": true},
		"/events":               {"/v1alpha1/usersecrets": true, "/v1alpha1/agentsecrets": true},
		"/events?pods":          {"/v1alpha1/usersecrets": true, "/v1alpha1/agentsecrets": true},
	} {
		asked := make(chan string, 20)
		s := newStandOn(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
			asked <- r.URL.Path + " " + r.URL.Query().Get("watch")
			silent(w, r)
		})
		s.open(t)
		stream := s.stream(t, path)
		for range want {
			got := <-asked
			found := false
			for suffix := range want {
				found = found || strings.HasSuffix(got, suffix+" true")
			}
			if !found {
				t.Errorf("%s asks for %s", path, got)
			}
		}
		if s.asked.Load() != int64(len(want)) {
			t.Errorf("%s asks %d times, want %d", path, s.asked.Load(), len(want))
		}
		_ = stream.Close()
	}
}

func TestPage_SessionThatEnds_IsToldOnTheStream(t *testing.T) {
	s := newStandOn(t, Options{}, silent)
	s.open(t)
	stream := s.stream(t, "/ns/alice/events")
	_, _ = s.do(t, http.MethodPost, "/session", s.session.code, nil) // the second use
	text, _ := io.ReadAll(stream)
	if !strings.Contains(string(text), "event: "+eventEnded) {
		t.Errorf("the stream said %s", text)
	}
	_ = s.awaitEnd(t)
}

func TestPage_ClusterThatFails_LeavesWhatIsShown(t *testing.T) {
	down := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"ServiceUnavailable","code":503,"message":"down"}`)
	}
	s := newStandOn(t, Options{}, down)
	s.open(t)
	for _, path := range []string{"/ns/alice/secrets", "/ns/alice/agents", "/ns/alice/secret/a", "/ns/alice/usage/a", "/overview"} {
		answer, text := s.do(t, http.MethodGet, path, "", s.member(map[string]string{liveHeader: "1"}))
		if answer.StatusCode != http.StatusServiceUnavailable || text != "The cluster cannot answer now" {
			t.Errorf("GET %s by itself: %d %s", path, answer.StatusCode, text)
		}
		answer, text = s.do(t, http.MethodGet, path, "", s.member(nil))
		if answer.StatusCode != http.StatusServiceUnavailable || !strings.Contains(text, `id="again"`) {
			t.Errorf("GET %s by a person: %d %s", path, answer.StatusCode, text)
		}
	}
}
