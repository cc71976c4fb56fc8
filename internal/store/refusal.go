// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/latchkey-dev/latchkey/internal/limits"
)

// limitError says a limit in this package's words.
func limitError(e *limits.Excess) *LimitError {
	kinds := map[limits.Kind]LimitKind{
		limits.Count:         LimitCount,
		limits.ValueBytes:    LimitValueBytes,
		limits.EnvValueBytes: LimitEnvValueBytes,
		limits.EnvBundle:     LimitBundleBytes,
		limits.FilesBundle:   LimitBundleBytes,
	}
	return &LimitError{Kind: kinds[e.Kind], Max: e.Max, Would: e.Would}
}

// conflictFields are the fields that admission names, in this package's words.
var conflictFields = map[string]string{
	"spec.name":     FieldName,
	"spec.path":     FieldName,
	"spec.envName":  FieldEnvName,
	"spec.filePath": FieldFilePath,
}

// causeLimit is what admission calls an exceeded limit (package webhook/sealing).
const causeLimit metav1.CauseType = "LimitExceeded"

// errContested says that admission, at another replica, knew of an object that this
// replica's cache had not seen yet. The caller looks again.
var errContested = errors.New("admission knew better")

// refused maps what the API server said of a write. Its text may quote the object,
// so only the reason goes on.
func refused(what string, err error) error {
	var status apierrors.APIStatus
	if errors.As(err, &status) && status.Status().Details != nil {
		var out ConflictError
		for _, cause := range status.Status().Details.Causes {
			if field := conflictFields[cause.Field]; field != "" && cause.Type == metav1.CauseTypeFieldValueDuplicate {
				out.Conflicts = append(out.Conflicts, Conflict{Field: field})
			}
			if cause.Type == causeLimit {
				return fmt.Errorf("%w: %w", errContested, &LimitError{Kind: LimitCount})
			}
		}
		if len(out.Conflicts) > 0 {
			return fmt.Errorf("%w: %w", errContested, &out)
		}
	}
	reason := apierrors.ReasonForError(err)
	switch {
	case apierrors.IsServiceUnavailable(err), apierrors.IsServerTimeout(err), apierrors.IsTimeout(err),
		apierrors.IsTooManyRequests(err), apierrors.IsInternalError(err):
		return fmt.Errorf("%w: %s: the API server answered %s", ErrUnavailable, what, reason)
	case status != nil && reason == metav1.StatusReasonUnknown:
		return fmt.Errorf("%s: the API server refused it with code %d", what, status.Status().Code)
	case reason == metav1.StatusReasonUnknown:
		return fmt.Errorf("%w: %s: %w", ErrUnavailable, what, err)
	default:
		return fmt.Errorf("%s: the API server refused it: %s", what, reason)
	}
}
