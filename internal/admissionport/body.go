// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package admissionport

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/latchkey-dev/latchkey/internal/budget"
)

const (
	// MaxBody is the largest body that is accepted. Every object that can be stored can
	// also be updated and deleted: etcd stores at most 1.5 MiB, an admission request
	// contains the old and the new object, and the rest is for the description of the
	// request.
	MaxBody = 4 << 20
	// MaxElements is how many members and items the JSON of a body may have. Their
	// number, not their size, determines the memory: an empty object takes three bytes
	// of a body and a hundred once it is decoded.
	MaxElements = 50_000
	// MaxBytes is the total size of the bodies that are served at once; further
	// requests wait.
	MaxBytes = 8 << 20
	// minCharge is what the smallest request counts as, which bounds the number of
	// requests, too.
	minCharge = 32 << 10
)

// read returns the body of a request, after it has waited for room in the budget.
func read(ctx context.Context, w http.ResponseWriter, r *http.Request, share *budget.Share) ([]byte, *refusal) {
	size := r.ContentLength
	if size > MaxBody {
		return nil, tooLarge(fmt.Sprintf("%d bytes, and at most %d", size, MaxBody))
	}
	if size < 0 { // the length is not declared
		size = MaxBody
	}
	if share.Await(ctx, max(size, minCharge)) != nil {
		return nil, &refusal{
			why: reasonBusy, code: http.StatusServiceUnavailable, reason: metav1.StatusReasonServiceUnavailable,
			message: "latchkey is admitting too many objects at once: try again in a moment",
		}
	}
	var body bytes.Buffer
	if r.ContentLength > 0 {
		body.Grow(int(size) + bytes.MinRead) // in one piece
	}
	// If the length is declared, net/http ends the body there.
	if _, err := body.ReadFrom(http.MaxBytesReader(w, r.Body, size)); err != nil {
		return nil, &refusal{
			why: reasonSize, code: http.StatusBadRequest, reason: metav1.StatusReasonBadRequest,
			message: "the body of the request ended too early, came too slowly or is too large",
		}
	}
	if n := elements(body.Bytes()); n > MaxElements {
		return nil, tooLarge(fmt.Sprintf("%d members and items, and at most %d", n, MaxElements))
	}
	return body.Bytes(), nil
}

// elements counts the members and items of a JSON text, or slightly more.
func elements(text []byte) int {
	n, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ',' || c == '[' || c == '{'):
			n++
		}
	}
	return n
}

// refusal is an answer to the API server, which forwards the message to its client.
type refusal struct {
	why     string
	code    int32
	reason  metav1.StatusReason
	message string
}

func tooLarge(what string) *refusal {
	return &refusal{
		why: reasonSize, code: http.StatusRequestEntityTooLarge, reason: metav1.StatusReasonRequestEntityTooLarge,
		message: "the object, as it is and as it was, has " + what + " can be admitted: make it smaller",
	}
}

func (no *refusal) write(w http.ResponseWriter) {
	refused.WithLabelValues(no.why).Inc()
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Connection", "close")
	w.WriteHeader(int(no.code))
	_ = json.NewEncoder(w).Encode(metav1.Status{ // a caller that is gone hears nothing
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"},
		Status:   metav1.StatusFailure, Code: no.code, Reason: no.reason, Message: no.message,
	})
}
