// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package admissionport

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/latchkey-dev/latchkey/internal/seal"
)

const (
	current  = "abcdefghijklmnopqrstuvwxyz"
	previous = "zyxwvutsrqponmlkjihgfedcba"
)

// known returns paths that honour current and previous.
func known() *Paths {
	p := &Paths{}
	p.set(map[string][]byte{"current": []byte(current), "previous": []byte(previous)})
	return p
}

// unread is a body that fails the test when somebody reads it.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.EOF
}

func TestGuard_WithoutThePath_AnswersOneAndTheSame(t *testing.T) {
	hook := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "asked") })
	hooks := map[string]http.Handler{UserSecretHook: hook, PodHook: hook}
	stranger := func(t *testing.T, paths *Paths, method, path string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "/", unread{t})
		r.URL.Path = path
		w := httptest.NewRecorder()
		NewGuard(paths, hooks).ServeHTTP(w, r)
		return w
	}
	want := stranger(t, known(), http.MethodPost, "/")
	if want.Code != http.StatusNotFound {
		t.Fatalf("the answer is %d, want 404", want.Code)
	}
	for _, tt := range []struct{ method, path string }{
		{"POST", "/admit-usersecret"}, {"POST", "/inject-pod"}, {"GET", "/admit-usersecret"},
		{"POST", ""}, {"POST", "//admit-usersecret"}, {"POST", "//"}, {"OPTIONS", "*"},
		{"POST", "/" + current}, {"POST", "/" + current + "/"}, {"POST", "/" + current + "/admit-other"},
		{"POST", "/" + current + "/admit-usersecret/"}, {"POST", "/" + current + "//admit-usersecret"},
		{"POST", "//" + current + "/admit-usersecret"}, {"POST", "/x/" + current + "/admit-usersecret"},
		{"GET", "/" + current + "/admit-usersecret"}, {"HEAD", "/" + current + "/admit-usersecret"},
		{"PUT", "/" + previous + "/admit-usersecret"},
		{"POST", "/" + current[1:] + "/admit-usersecret"}, {"POST", "/" + current[:25] + "a/admit-usersecret"},
		{"POST", "/" + current + "a/admit-usersecret"}, {"POST", "/" + strings.ToUpper(current) + "/admit-usersecret"},
		{"POST", "/admit-usersecret/" + current}, {"POST", "/./" + current + "/admit-usersecret"},
		{"POST", "/\x00/admit-usersecret"}, {"POST", "/" + strings.Repeat("a", 1<<16) + "/admit-usersecret"},
	} {
		got := stranger(t, known(), tt.method, tt.path)
		if diff := cmp.Diff([]any{want.Code, want.Header(), want.Body.String()}, []any{got.Code, got.Header(), got.Body.String()}); diff != "" {
			t.Errorf("%s %.40q is answered differently (-want +got):\n%s", tt.method, tt.path, diff)
		}
	}
	for _, path := range []string{"/" + current + "/admit-usersecret", "//admit-usersecret"} {
		if got := stranger(t, &Paths{}, http.MethodPost, path); got.Code != http.StatusNotFound {
			t.Errorf("%s is answered %d while no path is known", path, got.Code)
		}
	}
	for _, path := range []string{"/" + current + "/admit-usersecret", "/" + previous + "/inject-pod"} {
		w := httptest.NewRecorder()
		NewGuard(known(), hooks).ServeHTTP(w, httptest.NewRequest(http.MethodPost, path+"?timeout=5s", strings.NewReader("{}")))
		if w.Code != http.StatusOK || w.Body.String() != "asked" {
			t.Errorf("%s is answered %d %s, want the hook's answer", path, w.Code, w.Body)
		}
	}
}

func TestGuard_BodyAboveABound_IsRefusedBeforeItIsJudged(t *testing.T) {
	for name, tt := range map[string]struct {
		body   io.Reader
		length int64
		want   int
	}{
		"the largest":                 {strings.NewReader(strings.Repeat(" ", MaxBody)), MaxBody, http.StatusOK},
		"one byte more is not read":   {unread{t}, MaxBody + 1, http.StatusRequestEntityTooLarge},
		"nor where that is not said":  {strings.NewReader(strings.Repeat(" ", MaxBody+1)), -1, http.StatusBadRequest},
		"as many elements as may be":  {strings.NewReader(strings.Repeat("{", MaxElements)), MaxElements, http.StatusOK},
		"one element more":            {strings.NewReader(strings.Repeat("[", MaxElements+1)), MaxElements + 1, http.StatusRequestEntityTooLarge},
		"one member more":             {strings.NewReader(strings.Repeat(`"",`, MaxElements+1)), 3*MaxElements + 3, http.StatusRequestEntityTooLarge},
		"in a text, they are letters": {strings.NewReader(`"\\\"` + strings.Repeat("{", MaxElements+1) + `"`), MaxElements + 7, http.StatusOK},
		"a body that ends too early":  {io.MultiReader(strings.NewReader("{"), failing{}), 2, http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "/"+current+UserSecretHook, tt.body)
			r.ContentLength = tt.length
			w, asked := httptest.NewRecorder(), false
			NewGuard(known(), map[string]http.Handler{UserSecretHook: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				asked = true
				if body, err := io.ReadAll(r.Body); err != nil || int64(len(body)) != r.ContentLength {
					t.Errorf("the hook reads %d bytes of %d: %v", len(body), r.ContentLength, err)
				}
			})}).ServeHTTP(w, r)
			if w.Code != tt.want || asked != (tt.want == http.StatusOK) {
				t.Errorf("the answer is %d and the hook was asked: %t; want %d", w.Code, asked, tt.want)
			}
			if tt.want != http.StatusOK && !strings.Contains(w.Body.String(), `"kind":"Status"`) {
				t.Errorf("the API server cannot pass on %q", w.Body)
			}
		})
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("gone") }

func TestGuard_ManyLargeBodies_AreServedWithinTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inside, most, served atomic.Int64
		g := NewGuard(known(), map[string]http.Handler{PodHook: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			now := inside.Add(r.ContentLength)
			most.Store(max(most.Load(), now))
			<-time.After(time.Second) // of the bubble's clock: as a hook that works
			inside.Add(-r.ContentLength)
			served.Add(1)
		})})
		const requests = 40
		body := bytes.Repeat([]byte(" "), MaxBody)
		codes := make(chan int, requests)
		for range requests {
			go func() {
				w := httptest.NewRecorder()
				g.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/"+current+PodHook, bytes.NewReader(body)))
				codes <- w.Code
			}()
		}
		for range requests {
			if code := <-codes; code != http.StatusOK {
				t.Errorf("a request that could wait is answered %d", code)
			}
		}
		if most.Load() > MaxBytes || served.Load() != requests {
			t.Errorf("%d bytes were inside at once, of %d; %d requests were served", most.Load(), MaxBytes, served.Load())
		}
	})
}

func TestGuard_NoRoomInTime_IsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGuard(known(), map[string]http.Handler{PodHook: http.NotFoundHandler()})
		if err := g.bytes.Share("").Take(MaxBytes); err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		g.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/"+current+PodHook, strings.NewReader("{}")))
		if w.Code != http.StatusServiceUnavailable {
			t.Errorf("the answer is %d, want 503", w.Code)
		}
	})
}

func TestState_WrittenAndRead_IsTheSame(t *testing.T) {
	first, second := NewSegment(), NewSegment()
	if first.Equal(second) || first.Len() < 26 {
		t.Error("a segment can be guessed")
	}
	want := State{Current: first, Previous: second, Since: time.Unix(1_700_000_000, 0).UTC(), Certificate: "x"}
	got, ok := ParseState(want.Data())
	if !ok || !got.Current.Equal(first) || !got.Previous.Equal(second) || !got.Since.Equal(want.Since) || got.Certificate != "x" {
		t.Errorf("read back, it is %v", got)
	}
	if printed := fmt.Sprintf("%v %+v %#v", want, want, want); strings.Contains(printed, string(first.Reveal())) {
		t.Error("it prints what is secret")
	}
	for name, data := range map[string]map[string][]byte{
		"nothing": nil, "an empty segment": {"current": nil}, "a short one": {"current": []byte("abc")},
		"one that is no segment": {"current": []byte("../../" + current)},
	} {
		if _, ok := ParseState(data); ok {
			t.Errorf("%s is read", name)
		}
	}
	for path, want := range map[string]string{
		"/" + current + "/inject-pod": current, "/inject-pod": "", "": "", "/" + current: "", "/" + current + "/admit-usersecret": "",
		"/" + current + "/x/inject-pod": "",
	} {
		if got := ParseSegment(path, PodHook); !got.Equal(seal.ValueOf(want)) {
			t.Errorf("the segment of %s is %q, want %q", path, got.Reveal(), want)
		}
	}
}

func TestPaths_Changes_AreTakenUnlessTheyCannotBeRead(t *testing.T) {
	p := &Paths{}
	if p.Ready() == nil {
		t.Error("ready without a path")
	}
	other := strings.Repeat("q", 26)
	for _, step := range []struct {
		name           string
		data           map[string][]byte
		want, wantGone string
	}{
		{"the first", map[string][]byte{"current": []byte(previous)}, previous, current},
		{"a successor", map[string][]byte{"current": []byte(current), "previous": []byte(previous)}, previous, other},
		{"an emptied Secret", nil, current, other},
		{"another successor", map[string][]byte{"current": []byte(other), "previous": []byte(current)}, current, previous},
	} {
		p.set(step.data)
		if p.Ready() != nil || !p.Honours(step.want) || p.Honours(step.wantGone) || p.Honours("") {
			t.Errorf("%s: another path is honoured", step.name)
		}
	}
}
