// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package requests

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/endpoints/request"

	"github.com/latchkey-dev/latchkey/internal/server/store"
)

func TestReadBody(t *testing.T) {
	for name, tc := range map[string]struct {
		body io.Reader
		want string
		err  string
	}{
		"an empty body is read":           {body: strings.NewReader("")},
		"a body of just the limit":        {body: strings.NewReader("12345678"), want: "12345678"},
		"a body over the limit":           {body: strings.NewReader("123456789"), err: "http: request body too large"},
		"a body that is cut off":          {body: io.MultiReader(strings.NewReader("1"), iotest.ErrReader(io.ErrUnexpectedEOF)), err: "the body broke off"},
		"what the network says is hidden": {body: iotest.ErrReader(errors.New("read tcp 10.0.0.7: reset")), err: "the body broke off"},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", tc.body)
			got, err := ReadBody(httptest.NewRecorder(), r, 8)
			if fmt.Sprint(err) != tc.err && (err != nil || tc.err != "") {
				t.Errorf("error = %v, want %q", err, tc.err)
			}
			if string(got) != tc.want {
				t.Errorf("body = %q, want %q", got, tc.want)
			}
			var tooLarge *http.MaxBytesError
			if errors.As(err, &tooLarge) != strings.Contains(tc.err, "too large") {
				t.Errorf("error of type %T", err)
			}
		})
	}
}

func TestWriteJSON(t *testing.T) {
	for name, tc := range map[string]struct {
		body, fault any
		status      int
		want        string
	}{
		"an answer":                            {[]int{1}, "fault", 201, "[1]\n"},
		"an answer that cannot be encoded":     {func() {}, "fault", 500, "\"fault\"\n"},
		"nothing of which can be encoded":      {func() {}, func() {}, 500, ""},
		"no half of an answer that fails late": {[]any{"canary", func() {}}, "fault", 500, "\"fault\"\n"},
	} {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			WriteJSON(w, http.StatusCreated, tc.body, tc.fault)
			if w.Code != tc.status || w.Body.String() != tc.want {
				t.Errorf("got %d %q, want %d %q", w.Code, w.Body, tc.status, tc.want)
			}
			if ct := w.Header().Get("Content-Type"); ct != "application/json; charset=utf-8" {
				t.Errorf("content type = %q", ct)
			}
		})
	}
}

func TestOutage(t *testing.T) {
	for name, tc := range map[string]struct {
		err  error
		want bool
	}{
		"a store that is not available": {fmt.Errorf("x: %w", store.ErrUnavailable), true},
		"a caller that went away":       {fmt.Errorf("x: %w", context.Canceled), true},
		"a deadline":                    {fmt.Errorf("x: %w", context.DeadlineExceeded), true},
		"a refusal is none":             {store.ErrNotFound, false},
		"a fault is none":               {errors.New("x"), false},
		"no error is none":              {nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Outage(tc.err); got != tc.want {
				t.Errorf("Outage(%v) = %v, want %v", tc.err, got, tc.want)
			}
		})
	}
}

// What large bodies take together is bounded, and what those of one caller take; small
// ones are read whatever others do.
func TestReadBody_ManyLargeBodies_StayInTheirRoom(t *testing.T) {
	const limit = 8 << 20
	read := func(caller string, size int64) (done func(), err error) {
		body := io.LimitReader(zeros{}, size)
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", body)
		r.ContentLength = -1
		r, done = Account(r.WithContext(request.WithUser(r.Context(), &user.DefaultInfo{Name: caller})))
		got, err := ReadBody(httptest.NewRecorder(), r, limit)
		if err == nil && int64(len(got)) != size {
			t.Fatalf("%d bytes were read, want %d", len(got), size)
		}
		return done, err
	}
	var held []func()
	for i := 0; ; i++ {
		caller := fmt.Sprint("caller-", i)
		done, err := read(caller, limit)
		held = append(held, done)
		if errors.Is(err, ErrBusy) {
			break
		}
		if err != nil || len(held) > roomBytes/limit {
			t.Fatalf("%d bodies of 8 MiB are in memory, and the last answer was %v", len(held), err)
		}
		if i == 0 {
			again, err := read(caller, limit)
			again()
			if !errors.Is(err, ErrTooMany) {
				t.Errorf("a caller's second large body at once: %v, want %v", err, ErrTooMany)
			}
		}
	}
	if len(held) < 3 {
		t.Errorf("only %d large bodies found room", len(held)-1)
	}
	for _, caller := range []string{"caller-0", "somebody"} {
		done, err := read(caller, firstPiece/2)
		done()
		if err != nil {
			t.Errorf("a small body of %s was refused: %v", caller, err)
		}
	}
	if !Outage(ErrBusy) {
		t.Error("a busy server is no outage")
	}
	for i, done := range held {
		done()
		if left := room.Held(fmt.Sprint("caller-", i)); left != 0 {
			t.Errorf("caller %d still holds %d", i, left)
		}
	}
	for i := range int64(roomBytes / callerBytes) {
		all := room.Share(fmt.Sprint(i))
		t.Cleanup(all.Release)
		if err := all.Take(callerBytes); err != nil {
			t.Errorf("not all room was given back: %v", err)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
