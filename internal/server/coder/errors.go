// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package coder

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"k8s.io/klog/v2"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/imports"
	"github.com/latchkey-dev/latchkey/internal/policy/claim"
	"github.com/latchkey-dev/latchkey/internal/policy/limits"
	"github.com/latchkey-dev/latchkey/internal/server/requests"
	"github.com/latchkey-dev/latchkey/internal/server/store"
)

// errorBody is the contract's Error.
type errorBody struct {
	Message     string       `json:"message"`
	Detail      string       `json:"detail,omitempty"`
	Validations []validation `json:"validations,omitempty"`
}

const (
	messageFault           = "An internal server error occurred."
	messageNoAccess        = "Resource not found or you do not have access to this resource"
	messageInvalid         = "Validation failed."
	messageUnauthenticated = "You are signed out or your session has expired. Please sign in again to continue."
)

// detailNobody explains what makes a Namespace the caller's. It reveals nothing about
// other users.
const detailNobody = "No Namespace is yours: it needs the label " + v1alpha1.LabelUser +
	", and the annotation " + v1alpha1.AnnotationSubjects + " with your Kubernetes user name on a line of it " +
	"(without the annotation, the label's value is the user name)."

// The reasons for which this package itself refuses a request.
var (
	errUnauthenticated = errors.New("no caller in the request's context")
	errForbidden       = errors.New("the caller may not do this with the user's secrets")
	errNoAccess        = errors.New("the caller may not address this user or secret")
	errNobody          = errors.New("the caller is not a user")
	errNothingToChange = errors.New("the update sets no field")
)

// malformedBodyError reports that a body is not the JSON that it should be.
type malformedBodyError struct{ detail string }

func (e *malformedBodyError) Error() string { return "malformed body: " + e.detail }

// invalidError reports which fields break the field rules.
type invalidError struct{ validations []validation }

func (e *invalidError) Error() string {
	return fmt.Sprintf("%d fields are invalid", len(e.validations))
}

// Unauthenticated answers, in this dialect's form, a request whose caller could not be
// authenticated. It is for the authentication in front of a [Handler].
func Unauthenticated(w http.ResponseWriter, detail string) {
	writeJSON(w, http.StatusUnauthorized, errorBody{Message: messageUnauthenticated, Detail: detail})
}

// writeError answers a request that failed. It logs errors that are not the caller's,
// with nothing of the request but its verb and place, and answers them without detail.
func writeError(c *call, op *operation, err error) {
	status, body := answer(op, err)
	if status >= http.StatusInternalServerError && !errors.Is(err, context.Canceled) {
		klog.FromContext(c.r.Context()).Error(err, "User secrets request failed",
			"verb", op.verb, "namespace", c.tenant.Namespace, "status", status)
	}
	writeJSON(c.w, status, body)
}

// answer is the one place that maps errors to answers.
func answer(op *operation, err error) (int, errorBody) {
	var (
		malformed *malformedBodyError
		tooLarge  *http.MaxBytesError
		file      *imports.Error
		invalid   *invalidError
	)
	switch {
	case errors.Is(err, errUnauthenticated):
		return http.StatusUnauthorized, errorBody{Message: messageUnauthenticated, Detail: "No caller was authenticated."}
	case errors.Is(err, errNobody):
		return http.StatusNotFound, errorBody{Message: messageNoAccess, Detail: detailNobody}
	case errors.Is(err, errForbidden):
		return http.StatusForbidden, errorBody{
			Message: "Forbidden.",
			Detail:  fmt.Sprintf("You may not %s the secrets of this user.", op.verb),
		}
	case errors.Is(err, errNoCredential):
		return http.StatusBadRequest, errorBody{
			Message: "There is no token to hand out.",
			Detail:  "The key is the token that the request presents, and this one presents none.",
		}
	case errors.Is(err, errNoAccess), errors.Is(err, store.ErrNotFound):
		return http.StatusNotFound, errorBody{Message: messageNoAccess}
	case errors.As(err, &tooLarge):
		return http.StatusRequestEntityTooLarge, errorBody{Message: "Request body too large.", Detail: tooLarge.Error()}
	case errors.Is(err, requests.ErrSlow):
		return http.StatusRequestTimeout, errorBody{Message: "Request body took too long to arrive."}
	case errors.Is(err, requests.ErrTooMany):
		return http.StatusTooManyRequests, errorBody{Message: "Too many requests at the moment. Please try again."}
	case errors.As(err, &malformed):
		return http.StatusBadRequest, errorBody{Message: "Request body must be valid JSON.", Detail: malformed.detail}
	case errors.As(err, &file):
		return http.StatusBadRequest, errorBody{Message: "Failed to parse secrets file.", Detail: file.Detail}
	case errors.Is(err, errNothingToChange):
		return http.StatusBadRequest, errorBody{Message: "At least one field must be provided."}
	case errors.As(err, &invalid):
		return http.StatusBadRequest, errorBody{Message: messageInvalid, Validations: invalid.validations}
	}
	return answerStore(op, err)
}

// answerStore maps the store's refusals. The import reports conflicts before limits,
// every other write reports limits first.
func answerStore(op *operation, err error) (int, errorBody) {
	var (
		limit    *limits.Excess
		conflict *store.ConflictError
		refused  *store.RefusedError
	)
	limited, conflicts := errors.As(err, &limit), errors.As(err, &conflict)
	switch {
	case errors.Is(err, store.ErrSource):
		return http.StatusForbidden, errorBody{
			Message: "Forbidden.",
			Detail: "The value of this secret comes from a Kubernetes Secret that you may not get, so you can neither turn it on " +
				"nor give it another target. Set a value instead, or ask for that right.",
		}
	case limited && !(op.bulk && conflicts):
		return http.StatusBadRequest, limitBody(limit)
	case conflicts:
		return http.StatusConflict, errorBody{Message: messageInvalid, Validations: conflictValidations(op, conflict)}
	case errors.Is(err, store.ErrNoTenant):
		return http.StatusNotFound, errorBody{Message: messageNoAccess}
	case errors.Is(err, store.ErrTerminating):
		return http.StatusConflict, errorBody{
			Message: "The user is being deleted.", Detail: "The user's Namespace is terminating, so nothing can be stored in it.",
		}
	case errors.As(err, &refused):
		return http.StatusConflict, errorBody{
			Message: "The cluster refused to store the secret.",
			Detail:  fmt.Sprintf("A quota, a policy or a rule of the cluster does not allow it (%s). Ask the administrator of the cluster.", refused.Reason),
		}
	case requests.Outage(err):
		return http.StatusServiceUnavailable, errorBody{
			Message: "The service is not available at the moment. Please try again.",
		}
	}
	return http.StatusInternalServerError, errorBody{Message: messageFault}
}

func conflictValidations(op *operation, e *store.ConflictError) []validation {
	validations := make([]validation, 0, len(e.Conflicts))
	for _, c := range e.Conflicts {
		prefix, words := "", claim.WordsOf(c.Claim)
		if op.bulk {
			prefix = entryPrefix(c.Index)
		}
		validations = append(validations, validation{Field: prefix + words.Attribute, Detail: words.InUse()})
	}
	return validations
}

func limitBody(e *limits.Excess) errorBody {
	switch e.Kind {
	case limits.Count:
		return errorBody{
			Message: "User secrets limit reached.",
			Detail:  fmt.Sprintf("Each user can have at most %d secrets.", e.Max),
		}
	case limits.EnvValueBytes:
		return errorBody{
			Message: "Environment-injected user secrets bytes limit reached.",
			Detail: fmt.Sprintf("Values delivered as environment variables would take %d bytes and exceed the "+
				"per-user budget (%d bytes over all secrets with an env_name). "+
				"To deliver a large value as a file instead, clear its env_name and set a file_path.", e.Would, e.Max),
		}
	case limits.EnvBundle, limits.FilesBundle:
		return errorBody{
			Message: "User secrets delivery limit reached.",
			Detail: fmt.Sprintf("The secrets delivered together would take %d bytes and exceed what can be delivered (%d bytes). "+
				"Delete or shorten secrets to make room.", e.Would, e.Max),
		}
	default:
		return errorBody{
			Message: "User secrets value-bytes limit reached.",
			Detail: fmt.Sprintf("All values together would take %d bytes and exceed the per-user budget (%d bytes). "+
				"Delete or shorten secrets to make room.", e.Would, e.Max),
		}
	}
}

func routeNotFound(w http.ResponseWriter) {
	writeJSON(w, http.StatusNotFound, errorBody{Message: "Route not found."})
}

func methodNotAllowed(w http.ResponseWriter, allow string) {
	w.Header().Set("Allow", allow)
	writeJSON(w, http.StatusMethodNotAllowed, errorBody{Message: "Method not allowed."})
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	requests.WriteJSON(w, status, body, errorBody{Message: messageFault})
}
