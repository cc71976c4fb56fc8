// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package requests

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/latchkey-dev/latchkey/internal/server/store"
)

// WriteJSON writes a complete answer at once. If body cannot be encoded, the answer is
// 500 with the body fault, instead of half a body. An answer that may be another one
// shortly says when to ask again.
func WriteJSON(w http.ResponseWriter, status int, body, fault any) {
	var out bytes.Buffer
	if err := json.NewEncoder(&out).Encode(body); err != nil {
		status = http.StatusInternalServerError
		out.Reset()
		_ = json.NewEncoder(&out).Encode(fault) // else the status alone must do
	}
	if status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "1")
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(out.Bytes()) // the client is gone: nobody is left to tell
}

// Outage reports whether an error means that the request was valid but cannot be served
// at the moment. The same request may succeed shortly.
func Outage(err error) bool {
	return errors.Is(err, store.ErrUnavailable) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
