// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package sealing

import (
	"net/http"
	"strings"

	"gomodules.xyz/jsonpatch/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// Causes of refusals, in addition to those of metav1.
const (
	// CauseLimit means that a tenant's limit is exceeded.
	CauseLimit metav1.CauseType = "LimitExceeded"
	// CauseTypeMismatch means that a value does not match its type.
	CauseTypeMismatch metav1.CauseType = "TypeMismatch"
)

// Review collects the changes that admission makes and the reasons to refuse.
type Review struct {
	patches  []jsonpatch.Operation
	causes   []metav1.StatusCause
	warnings []string
}

// Refuse adds a reason to refuse because of a field such as "spec.envName".
func (r *Review) Refuse(field string, cause metav1.CauseType, message string) {
	r.causes = append(r.causes, metav1.StatusCause{Type: cause, Field: field, Message: message})
}

// Refused reports whether there is a reason to refuse.
func (r *Review) Refused() bool { return len(r.causes) > 0 }

// Set sets the member at path, a JSON pointer. Its parent must exist.
func (r *Review) Set(path string, value any) {
	r.patches = append(r.patches, jsonpatch.NewOperation("add", path, value))
}

// Remove removes the member at path, which must exist.
func (r *Review) Remove(path string) {
	r.patches = append(r.patches, jsonpatch.NewOperation("remove", path, nil))
}

// Response returns the answer: all refusals at once, or the changes.
func (r *Review) Response() admission.Response {
	if !r.Refused() {
		return admission.Patched("", r.patches...).WithWarnings(r.warnings...)
	}
	messages := make([]string, 0, len(r.causes))
	for _, c := range r.causes {
		messages = append(messages, c.Field+": "+c.Message)
	}
	resp := admission.Denied("")
	resp.Result = &metav1.Status{
		Status:  metav1.StatusFailure,
		Code:    http.StatusUnprocessableEntity,
		Reason:  metav1.StatusReasonInvalid,
		Message: strings.Join(messages, "; "),
		Details: &metav1.StatusDetails{Causes: r.causes},
	}
	return resp
}

// Unavailable returns the answer for a failure that is not the fault of the request.
func Unavailable(err error) admission.Response {
	return admission.Errored(http.StatusServiceUnavailable, err)
}
