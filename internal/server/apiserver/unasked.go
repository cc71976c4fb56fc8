// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"context"
	"errors"
	"net"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/apiserver/pkg/audit"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/endpoints/filters"
	"k8s.io/apiserver/pkg/endpoints/handlers/responsewriters"
	"k8s.io/klog/v2"

	"github.com/latchkey-dev/latchkey/internal/server/requests"
)

type failureKey struct{}

// withFailure makes the reason available for which a caller could not be authenticated:
// the filter of k8s.io/apiserver does not tell the handler that answers.
func withFailure(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), failureKey{}, new(error))))
	})
}

// failureOf returns why the caller could not be authenticated, or nil if that is
// unknown.
func failureOf(ctx context.Context) error {
	if kept, ok := ctx.Value(failureKey{}).(*error); ok {
		return *kept
	}
	return nil
}

// remembering records why callers are not authenticated, and limits how many requests
// from one address can be authenticated by the cluster at once.
func remembering(inner authenticator.Request, asking *requests.Turns) authenticator.Request {
	return authenticator.RequestFunc(func(r *http.Request) (response *authenticator.Response, ok bool, err error) {
		defer func() {
			if kept, is := r.Context().Value(failureKey{}).(*error); is {
				*kept = err
			}
		}()
		turn, err := asking.Enter(addressOf(r))
		if err != nil {
			return nil, false, err
		}
		defer turn.Leave()
		if err := turn.Begin(r.Context()); err != nil {
			return nil, false, err
		}
		return inner.AuthenticateRequest(r)
	})
}

// addressOf returns the address of the client, without the port.
func addressOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// couldNotAsk reports whether an authenticator failed because it got no answer, and not
// because the credentials were rejected. A rejection is an error without a type. Errors
// of the network and of the API server have types.
func couldNotAsk(err error) bool {
	if err == nil {
		return false
	}
	var several utilerrors.Aggregate
	if errors.As(err, &several) {
		for _, one := range several.Errors() {
			if couldNotAsk(one) {
				return true
			}
		}
		return false
	}
	var status apierrors.APIStatus
	var network net.Error
	return errors.As(err, &status) || errors.As(err, &network) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// withAuthorization passes on requests that the authorizer allows. It is the filter of
// k8s.io/apiserver, except for the answer if the cluster could not be asked: that is
// not an internal error of this server.
func withAuthorization(handler http.Handler, a authorizer.UnconditionalAuthorizer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		attributes, err := filters.GetAuthorizerAttributes(r.Context())
		if err != nil {
			fault.write(w, r)
			return
		}
		decision, reason, err := a.Authorize(r.Context(), attributes)
		switch {
		case decision == authorizer.DecisionAllow:
			audit.AddAuditAnnotation(r.Context(), "authorization.k8s.io/decision", "allow")
			handler.ServeHTTP(w, r)
		case err != nil:
			klog.FromContext(r.Context()).Error(err, "Cannot ask the cluster whether the caller may access the API")
			unasked.write(w, r)
		default:
			audit.AddAuditAnnotations(r.Context(), "authorization.k8s.io/decision", "forbid", "authorization.k8s.io/reason", reason)
			responsewriters.Forbidden(attributes, w, r, reason, codecs)
		}
	})
}
