// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package requests

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"k8s.io/apiserver/pkg/endpoints/request"

	"github.com/latchkey-dev/latchkey/internal/budget"
	"github.com/latchkey-dev/latchkey/internal/server/store"
)

const (
	// roomBytes is how much memory the bodies of all requests may take together, beyond
	// the first piece of each. callerBytes is the same for one caller: the largest
	// body, while it is copied. Decoding needs a multiple of that in addition. Ordinary
	// requests need far less.
	roomBytes   = 64 << 20
	callerBytes = 20 << 20
	// firstPiece is what every request may use, whatever the others do.
	firstPiece = 64 << 10

	// restBytes is how much of a body that is too large is read all the same, and thrown
	// away: as much as the largest body that is accepted.
	restBytes = callerBytes

	// glance is how long to wait for the body of a refused request.
	glance = 500 * time.Millisecond
)

// ErrBusy reports that there is no room for another large body at the moment. It is an
// outage.
var ErrBusy = fmt.Errorf("%w: too many large bodies at once", store.ErrUnavailable)

// ErrSlow reports that a body did not arrive in time.
var ErrSlow = errors.New("the body took too long to arrive")

// ErrBrokeOff reports that a body ended too early. It is distinct from errors of the
// network, because requests to the cluster can end early, too.
var ErrBrokeOff = errors.New("the body broke off")

var room = budget.New(roomBytes, callerBytes)

type accountKey struct{}

// Account makes ReadBody count what it reads of r against the room that all requests
// share, and against the caller's own. Call done when the request was answered.
func Account(r *http.Request) (accounted *http.Request, done func()) {
	caller := ""
	if u, ok := request.UserFrom(r.Context()); ok {
		caller = CallerOf(u)
	}
	share := &share{caller: caller, held: room.Share(caller)}
	return r.WithContext(context.WithValue(r.Context(), accountKey{}, share)), func() { share.held.Release() }
}

// share is what a request's body takes of the room.
type share struct {
	caller string
	held   *budget.Share
}

// ReadBody reads a whole body, so that its size is checked before its content. While it
// waits for the body, another request has the turn. The error is a *http.MaxBytesError
// for a body over the limit, ErrSlow for one that is too slow, ErrBusy if there is no
// room, and ErrTooMany if the caller's own room is full. Every other failure is
// ErrBrokeOff: the sender does not learn what the network reported.
func ReadBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	turn, _ := r.Context().Value(turnKey{}).(*Turn)
	if turn != nil {
		turn.Pause()
	}
	body, err := readAll(w, r, limit)
	if err != nil && !(errors.As(err, new(*http.MaxBytesError)) && passed(r)) {
		Unread(w, r)
	}
	if err == nil && turn != nil {
		err = turn.Begin(r.Context())
	}
	return body, err
}

// Glance is ReadBody for a request that will be refused whatever its body contains, in
// a contract that reports errors of the body first. It reads a short body that arrives
// at once. For all others it returns false for ok and does not wait.
func Glance(w http.ResponseWriter, r *http.Request, limit int64) (body []byte, ok bool, err error) {
	if r.ContentLength > firstPiece {
		Unread(w, r)
		if r.ContentLength > limit {
			return nil, true, &http.MaxBytesError{Limit: limit}
		}
		return nil, false, nil
	}
	if d, is := r.Body.(interface{ Within(time.Duration) }); is {
		d.Within(glance)
	}
	body, err = ReadBody(w, r, firstPiece)
	if errors.Is(err, ErrSlow) || errors.As(err, new(*http.MaxBytesError)) {
		return nil, false, nil
	}
	return body, true, err
}

// Unread prepares the answer to a request whose body is not read. net/http would wait
// for the body before it sends the answer, because the connection could be used again.
// Unread discards a short body as it arrives and keeps the connection, so that refused
// clients do not need a handshake for each request. For a long or slow body, it closes
// the connection.
func Unread(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor == 1 && r.Body != nil && r.Body != http.NoBody && !dropped(r) {
		w.Header().Set("Connection", "close")
	}
}

// dropped reads and discards a short body, and reports whether it arrived in time.
// Meanwhile another request has the turn.
func dropped(r *http.Request) bool {
	if r.ContentLength < 0 || r.ContentLength > firstPiece || r.Header.Get("Expect") != "" {
		return false
	}
	if turn, ok := r.Context().Value(turnKey{}).(*Turn); ok {
		turn.Pause()
	}
	_, err := io.Copy(io.Discard, r.Body)
	return err == nil
}

// passed reads and discards the rest of a body that is too large, and reports whether it
// arrived. The API server, which passes requests on, closes the connection of a client
// that is still sending when the answer comes, and so the client may never see it. A
// client that asks before it sends is answered at once.
func passed(r *http.Request) bool {
	if r.ContentLength > restBytes || r.ProtoMajor == 1 && r.Header.Get("Expect") != "" {
		return false
	}
	_, err := io.CopyN(io.Discard, r.Body, restBytes)
	return errors.Is(err, io.EOF)
}

func readAll(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength > limit {
		return nil, &http.MaxBytesError{Limit: limit}
	}
	taken, _ := r.Context().Value(accountKey{}).(*share)
	from := http.MaxBytesReader(w, r.Body, limit)
	body := make([]byte, 0, 512)
	for {
		n, err := from.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if errors.Is(err, io.EOF) {
			return body, nil
		}
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			return nil, tooLarge
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil, ErrSlow
		}
		if err != nil {
			return nil, ErrBrokeOff
		}
		if len(body) == cap(body) {
			if body, err = grow(body, limit, taken); err != nil {
				return nil, err
			}
		}
	}
}

// grow doubles the capacity of a body, if there is room. It releases the room of the
// old one after the copy.
func grow(body []byte, limit int64, taken *share) ([]byte, error) {
	is := min(2*int64(cap(body)), limit+1)
	if taken != nil && is > firstPiece {
		larger := room.Share(taken.caller)
		switch err := larger.Take(is); {
		case errors.Is(err, budget.ErrCaller):
			return nil, ErrTooMany
		case err != nil:
			return nil, ErrBusy
		}
		taken.held.Release()
		taken.held = larger
	}
	return append(make([]byte, 0, is), body...), nil
}
