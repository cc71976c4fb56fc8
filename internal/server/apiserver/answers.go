// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"errors"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apiserver/pkg/endpoints/handlers/responsewriters"

	"github.com/latchkey-dev/latchkey/internal/server/coder"
	"github.com/latchkey-dev/latchkey/internal/server/golem"
	"github.com/latchkey-dev/latchkey/internal/server/requests"
)

// codecs encode what this server answers itself: discovery and metav1.Status.
var codecs = func() serializer.CodecFactory {
	scheme := runtime.NewScheme()
	unversioned := schema.GroupVersion{Version: "v1"}
	metav1.AddToGroupVersion(scheme, unversioned)
	scheme.AddUnversionedTypes(unversioned,
		&metav1.Status{}, &metav1.APIVersions{}, &metav1.APIGroupList{}, &metav1.APIGroup{}, &metav1.APIResourceList{})
	return serializer.NewCodecFactory(scheme)
}()

// refusal is an answer of this server in place of the handler's: one status, with a
// text for each dialect.
type refusal struct {
	status         int
	message        string // for the Coder dialect and metav1.Status
	code, codeText string // for the Golem dialect
}

var (
	tooBusy = refusal{
		status: http.StatusTooManyRequests, message: "Too many requests at the moment. Please try again.",
		code: "TOO_MANY_REQUESTS", codeText: "Too many requests at the moment",
	}
	// unasked is for a caller about whom the cluster could not be asked: for
	// authentication or authorization. It must not look like bad credentials, or the
	// client would discard them.
	unasked = refusal{
		status: http.StatusServiceUnavailable, message: "The cluster cannot be asked who you are at the moment. Please try again.",
		code: "SERVICE_UNAVAILABLE", codeText: "The cluster cannot be asked who you are at the moment, try again",
	}
	// inactive is for a request that this replica may not answer, because it is not
	// active, or stopped being active before the answer was ready.
	inactive = refusal{
		status: http.StatusServiceUnavailable, message: "Another server takes over at the moment. Please try again.",
		code: "SERVICE_UNAVAILABLE", codeText: "Another server takes over at the moment, try again",
	}
	fault = refusal{
		status: http.StatusInternalServerError, message: "An internal server error occurred.",
		code: "INTERNAL_UNKNOWN", codeText: "Internal error",
	}
)

func (f refusal) write(w http.ResponseWriter, r *http.Request) {
	requests.Unread(w, r)
	if f.status == http.StatusTooManyRequests || f.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	switch dialectOf(r.URL.Path) {
	case coderDialect:
		body := map[string]string{"message": f.message}
		requests.WriteJSON(w, f.status, body, body)
	case golemDialect:
		body := map[string]string{"code": f.code, "error": f.codeText}
		requests.WriteJSON(w, f.status, body, body)
	default:
		writeStatus(w, r, apierrors.NewGenericServerResponse(f.status, strings.ToLower(r.Method),
			schema.GroupResource{}, "", f.message, 0, false))
	}
}

// notAuthenticated answers a request whose caller is not known. The answer is 401 only
// if the cluster rejected the credentials.
func notAuthenticated(w http.ResponseWriter, r *http.Request) {
	switch err := failureOf(r.Context()); {
	case errors.Is(err, requests.ErrTooMany):
		tooBusy.write(w, r)
	case couldNotAsk(err):
		unasked.write(w, r)
	default:
		unauthenticated(w, r)
	}
}

// unauthenticated answers a request without valid credentials.
func unauthenticated(w http.ResponseWriter, r *http.Request) {
	requests.Unread(w, r)
	if r.ProtoMajor == 2 {
		// Streams are cheap for the client and expensive for us: a client that is not
		// authenticated must use a connection for each request.
		w.Header().Set("Connection", "close")
	}
	switch dialectOf(r.URL.Path) {
	case coderDialect:
		coder.Unauthenticated(w, "No valid token was sent: use the header Coder-Session-Token or Authorization.")
	case golemDialect:
		golem.Unauthenticated(w, "")
	default:
		writeStatus(w, r, apierrors.NewUnauthorized("Unauthorized"))
	}
}

// notFound answers a path that is not served.
func notFound(w http.ResponseWriter, r *http.Request) {
	writeStatus(w, r, apierrors.NewGenericServerResponse(http.StatusNotFound, strings.ToLower(r.Method),
		schema.GroupResource{}, "", "", 0, false))
}

// readOnly passes only GET and HEAD to a handler.
func readOnly(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			writeStatus(w, r, apierrors.NewGenericServerResponse(http.StatusMethodNotAllowed, strings.ToLower(r.Method),
				schema.GroupResource{}, "", "", 0, false))
			return
		}
		handler.ServeHTTP(w, r)
	})
}

func writeStatus(w http.ResponseWriter, r *http.Request, err *apierrors.StatusError) {
	responsewriters.ErrorNegotiated(err, codecs, schema.GroupVersion{}, w, r)
}
