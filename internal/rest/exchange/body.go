// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package exchange

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"golang.org/x/sync/semaphore"

	"github.com/latchkey-dev/latchkey/internal/store"
)

const (
	// roomBytes is how much the bodies of all requests may take together, beyond a
	// first piece of each. What decoding makes of them comes on top, some times as
	// much. It is far more than ordinary requests need.
	roomBytes = 48 << 20
	// firstPiece is what every request may take, whatever the others do.
	firstPiece = 64 << 10
)

// ErrBusy says that there is no room for one more large body at the moment. It is an
// outage.
var ErrBusy = fmt.Errorf("%w: too many large bodies at once", store.ErrUnavailable)

var room = semaphore.NewWeighted(roomBytes)

type accountKey struct{}

// Account makes ReadBody count what it reads of r against the room that all requests
// share. The caller calls done when the request was answered.
func Account(r *http.Request) (accounted *http.Request, done func()) {
	taken := new(int64)
	return r.WithContext(context.WithValue(r.Context(), accountKey{}, taken)), func() { room.Release(*taken) }
}

// ReadBody reads a body to its end, so that its size is judged before its
// content. One over the limit is a *http.MaxBytesError, and one for which there is no
// room ErrBusy. Every other failure is io.ErrUnexpectedEOF: that the body broke off is
// all that its sender is told, not what the network said about it.
func ReadBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	taken, _ := r.Context().Value(accountKey{}).(*int64)
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
		if err != nil {
			return nil, io.ErrUnexpectedEOF
		}
		if len(body) == cap(body) {
			if body, err = grow(body, limit, taken); err != nil {
				return nil, err
			}
		}
	}
}

// grow doubles the capacity of a body, if there is room. The old one is given back
// once it was copied.
func grow(body []byte, limit int64, taken *int64) ([]byte, error) {
	is := min(2*int64(cap(body)), limit+1)
	if taken != nil && is > firstPiece {
		if !room.TryAcquire(is) {
			return nil, ErrBusy
		}
		defer room.Release(*taken)
		*taken = is
	}
	return append(make([]byte, 0, is), body...), nil
}
