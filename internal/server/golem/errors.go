// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package golem

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"k8s.io/klog/v2"

	"github.com/latchkey-dev/latchkey/internal/policy/limits"
	"github.com/latchkey-dev/latchkey/internal/server/directory"
	"github.com/latchkey-dev/latchkey/internal/server/requests"
	"github.com/latchkey-dev/latchkey/internal/server/store"
)

// errorBody is the contract's error: Errors is set for 400, otherwise Error.
type errorBody struct {
	Code   string   `json:"code"`
	Error  string   `json:"error,omitempty"`
	Errors []string `json:"errors,omitempty"`
}

// The codes of the contract, and ours for cases without one: an unknown route, method
// or media type, an outage, and a refusal by the cluster.
const (
	codeMismatch           = "AGENT_SECRET_VALUE_TYPE_MISMATCH"
	codeInvalid            = "INVALID_REQUEST"
	codeUnauthenticated    = "AUTH_UNAUTHORIZED"
	codeForbidden          = "AUTH_FORBIDDEN"
	codeUnknownEnvironment = "ENVIRONMENT_NOT_FOUND"
	codeUnknownSecret      = "AGENT_SECRET_NOT_FOUND"
	codeNoRoute            = "ROUTE_NOT_FOUND"
	codeNoMethod           = "METHOD_NOT_ALLOWED"
	codePathTaken          = "AGENT_SECRET_ALREADY_EXISTS"
	codeRevision           = "CONCURRENT_UPDATE"
	codeTooLarge           = "REQUEST_TOO_LARGE"
	codeMediaType          = "UNSUPPORTED_MEDIA_TYPE"
	codeLimit              = "LIMIT_EXCEEDED"
	codeUnavailable        = "SERVICE_UNAVAILABLE"
	codeTooMany            = "TOO_MANY_REQUESTS"
	codeSlow               = "REQUEST_TIMEOUT"
	codeTerminating        = "ENVIRONMENT_TERMINATING"
	codeRefused            = "REFUSED_BY_CLUSTER"
	codeFault              = "INTERNAL_UNKNOWN"
)

// The reasons for which this package itself refuses a request.
var (
	errUnauthenticated = errors.New("no caller in the request's context")
	errNoRoute         = errors.New("no such path")
	errNoMethod        = errors.New("the path does not have this method")
	errMediaType       = errors.New("the body is not said to be JSON")
	errForbidden       = errors.New("the caller may not do this with the environment's secrets")
	errUnreadable      = errors.New("the stored secret cannot be read") // its key is missing, or its value does not match its type
	errValueTooLarge   = errors.New("the value is over every limit, whatever its type")
)

// invalidError describes what is wrong with a request.
type invalidError struct {
	code     string
	problems []string
}

func (e *invalidError) Error() string { return strings.Join(e.problems, "; ") }

// invalidRequest returns an error with the problems, or nil.
func invalidRequest(problems ...string) error {
	if len(problems) == 0 {
		return nil
	}
	return &invalidError{code: codeInvalid, problems: problems}
}

// Unauthenticated answers, in this dialect's form, a request whose caller could not be
// authenticated. It is for the authentication in front of a [Handler]. The contract has
// one text for all reasons, so the detail is not included.
func Unauthenticated(w http.ResponseWriter, _ string) {
	writeJSON(w, http.StatusUnauthorized, errorBody{
		Code: codeUnauthenticated, Error: "Could not authenticate user using token",
	})
}

// writeError answers a request that failed. It logs errors that are not the caller's,
// with nothing of the request but its verb and place, and answers them without detail.
func writeError(c *call, err error) {
	if errors.Is(err, errUnauthenticated) {
		Unauthenticated(c.w, "")
		return
	}
	status, body := answer(c, err)
	if status >= http.StatusInternalServerError && !errors.Is(err, context.Canceled) {
		klog.FromContext(c.ctx()).Error(err, "Agent secrets request failed",
			"verb", c.op.verb, "namespace", c.environment.Namespace, "status", status)
	}
	writeJSON(c.w, status, body)
}

// answer is the one place that maps errors to answers.
func answer(c *call, err error) (int, errorBody) {
	var (
		invalid  *invalidError
		tooLarge *http.MaxBytesError
	)
	switch {
	case errors.Is(err, errNoRoute):
		return http.StatusNotFound, errorBody{Code: codeNoRoute, Error: "Route not found"}
	case errors.Is(err, errNoMethod):
		return http.StatusMethodNotAllowed, errorBody{Code: codeNoMethod, Error: "Method not allowed"}
	case errors.Is(err, errMediaType):
		return http.StatusUnsupportedMediaType, errorBody{
			Code: codeMediaType, Error: "Content-Type must be application/json or application/*+json",
		}
	case errors.As(err, &tooLarge):
		return http.StatusRequestEntityTooLarge, errorBody{
			Code: codeTooLarge, Error: fmt.Sprintf("Request body is larger than %d bytes", tooLarge.Limit),
		}
	case errors.Is(err, requests.ErrSlow):
		return http.StatusRequestTimeout, errorBody{Code: codeSlow, Error: "Request body took too long to arrive"}
	case errors.Is(err, requests.ErrTooMany):
		return http.StatusTooManyRequests, errorBody{Code: codeTooMany, Error: "Too many requests at the moment"}
	case errors.As(err, &invalid):
		return http.StatusBadRequest, errorBody{Code: invalid.code, Errors: invalid.problems}
	case errors.Is(err, errForbidden):
		return http.StatusForbidden, errorBody{
			Code: codeForbidden, Error: fmt.Sprintf("The environment action %s is not allowed", c.op.action),
		}
	case errors.Is(err, errValueTooLarge):
		return http.StatusUnprocessableEntity, errorBody{
			Code: codeLimit, Error: "The environment's limit of bytes per value is exceeded",
		}
	}
	return answerStore(c, err)
}

// answerStore maps the refusals of the store and the directory. Joined refusals are
// checked in the order of the contract.
func answerStore(c *call, err error) (int, errorBody) {
	var (
		limit    *limits.Excess
		conflict *store.ConflictError
		refused  *store.RefusedError
	)
	switch {
	case errors.Is(err, directory.ErrUnknown), errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrNoTenant):
		return http.StatusNotFound, notFoundBody(c.target)
	case errors.Is(err, store.ErrRevision):
		return http.StatusConflict, errorBody{Code: codeRevision, Error: "Concurrent update attempt"}
	case errors.As(err, &limit):
		return http.StatusUnprocessableEntity, errorBody{Code: codeLimit, Error: limitText(limit)}
	case errors.As(err, &conflict):
		return http.StatusConflict, errorBody{
			Code: codePathTaken,
			Error: fmt.Sprintf("Agent secret for path %s already exists in environment",
				strings.Join(c.path, ".")),
		}
	case errors.Is(err, store.ErrTerminating):
		return http.StatusConflict, errorBody{Code: codeTerminating, Error: "The environment is being deleted"}
	case errors.As(err, &refused):
		return http.StatusConflict, errorBody{
			Code:  codeRefused,
			Error: fmt.Sprintf("A quota, a policy or a rule of the cluster does not allow it (%s)", refused.Reason),
		}
	case errors.Is(err, errUnreadable):
		return http.StatusServiceUnavailable, errorBody{
			Code:  codeUnavailable,
			Error: "What is stored cannot be read: the status of the AgentSecret says why",
		}
	case requests.Outage(err):
		return http.StatusServiceUnavailable, errorBody{
			Code: codeUnavailable, Error: "The service is not available at the moment, try again",
		}
	}
	return http.StatusInternalServerError, faultBody
}

// faultBody reveals nothing about an internal error.
var faultBody = errorBody{Code: codeFault, Error: "Internal error"}

// notFoundBody names what the path addresses, which the caller knows already.
func notFoundBody(t target) errorBody {
	if t.resource == environmentSecrets {
		return errorBody{Code: codeUnknownEnvironment, Error: fmt.Sprintf("Environment %s not found", t.id)}
	}
	return errorBody{Code: codeUnknownSecret, Error: fmt.Sprintf("Agent secret %s not found", t.id)}
}

func limitText(e *limits.Excess) string {
	switch e.Kind {
	case limits.Count:
		return fmt.Sprintf("The environment's limit of %d secrets is reached", e.Max)
	case limits.OneValueBytes:
		return fmt.Sprintf("The environment's limit of %d bytes per value is exceeded", e.Max)
	case limits.EnvBundle, limits.FilesBundle:
		return fmt.Sprintf("The environment's secrets would take %d bytes where they are delivered together, and can take %d", e.Would, e.Max)
	default:
		return fmt.Sprintf("The environment's limit of %d bytes for all values is reached", e.Max)
	}
}

// writeJSON writes an answer that no proxy may cache: it can contain a value.
func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Cache-Control", "no-store")
	requests.WriteJSON(w, status, body, faultBody)
}
