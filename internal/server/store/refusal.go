// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// refused converts the API server's error of a write into ours: it distinguishes what
// will pass from what the caller or the cluster's administrator must change. The text
// may quote the object, so only the reason is used.
func refused(what string, err error) error {
	var status apierrors.APIStatus
	reason := apierrors.ReasonForError(err)
	switch {
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return fmt.Errorf("%w: %s", ErrTerminating, what)
	case !errors.As(err, &status), meta.IsNoMatchError(err):
		return fmt.Errorf("%w: %s: %w", ErrUnavailable, what, err) // no answer, or an answer from something else
	case apierrors.IsNotFound(err) && status.Status().Details != nil && status.Status().Details.Kind == "namespaces":
		return fmt.Errorf("%w: %s", ErrNoTenant, what)
	case transient(err), apierrors.IsNotFound(err), ownRightsMissing(err):
		// If it is the resource that is not found, the CustomResourceDefinition is
		// missing.
		return fmt.Errorf("%w: %s: the API server answered %s", ErrUnavailable, what, reason)
	case reason == metav1.StatusReasonUnknown:
		return &RefusedError{What: what, Reason: fmt.Sprintf("code %d", status.Status().Code)}
	default:
		return &RefusedError{What: what, Reason: string(reason)}
	}
}

// transient reports whether the API server is busy or broken, or does not accept this
// process's credentials.
func transient(err error) bool {
	var status apierrors.APIStatus
	return apierrors.IsTooManyRequests(err) || apierrors.IsTimeout(err) || apierrors.IsUnauthorized(err) ||
		apierrors.IsMethodNotSupported(err) || errors.As(err, &status) && status.Status().Code >= http.StatusInternalServerError
}

// ownRightsMissing reports whether this process lacks the right to write. It recognizes
// the text of the API server's authorization, because a quota or a policy refuses with
// the same reason.
func ownRightsMissing(err error) bool {
	return apierrors.IsForbidden(err) && strings.Contains(err.Error(), ": User \"") && strings.Contains(err.Error(), " cannot ")
}
