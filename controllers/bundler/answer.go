// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundler

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// errChanged reports that a bundle was not stored as it was sent.
var errChanged = errors.New("the bundle is not as it was written")

// answered reports whether the API server answered.
func answered(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) || errors.Is(err, errChanged)
}

// passing reports whether a write failed because the cache is behind.
func passing(err error) bool { return apierrors.IsConflict(err) || apierrors.IsNotFound(err) }

// answerOf describes in fixed words why a write was refused. The text of the answer
// must not be used: it can quote the request, and a bundle is plaintext.
func answerOf(err error) string {
	if errors.Is(err, errChanged) {
		return "something in the cluster, such as a mutating policy, changes it on its way"
	}
	var answer apierrors.APIStatus
	if !errors.As(err, &answer) {
		return "the API server did not answer"
	}
	status := answer.Status()
	said := reasonOf(status)
	for _, by := range []struct{ sign, words string }{
		{"exceeded quota", "by a resource quota"},
		{"ValidatingAdmissionPolicy ", "by an admission policy"},
		{"MutatingAdmissionPolicy ", "by an admission policy"},
		{"admission webhook ", "by an admission webhook"},
		{"failed calling webhook ", "since an admission webhook does not answer"},
	} {
		if strings.Contains(status.Message, by.sign) {
			return "the API server answered " + said + ", " + by.words
		}
	}
	return "the API server answered " + said
}

// apiReasons are the reasons that the API server itself gives.
var apiReasons = []metav1.StatusReason{
	metav1.StatusReasonUnauthorized, metav1.StatusReasonForbidden, metav1.StatusReasonNotFound, metav1.StatusReasonAlreadyExists,
	metav1.StatusReasonConflict, metav1.StatusReasonGone, metav1.StatusReasonInvalid, metav1.StatusReasonServerTimeout,
	metav1.StatusReasonTimeout, metav1.StatusReasonTooManyRequests, metav1.StatusReasonBadRequest, metav1.StatusReasonMethodNotAllowed,
	metav1.StatusReasonRequestEntityTooLarge, metav1.StatusReasonUnsupportedMediaType, metav1.StatusReasonInternalError,
	metav1.StatusReasonServiceUnavailable,
}

// reasonOf returns the reason of an answer if it is one of the API's, else its code: an
// admission webhook chooses its reason freely, so it could contain a value.
func reasonOf(status metav1.Status) string {
	if slices.Contains(apiReasons, status.Reason) {
		return string(status.Reason)
	}
	return fmt.Sprintf("code %d", status.Code)
}

// withoutBody reduces an API error to its reason: the message of a refused write can
// quote the request, and a bundle is plaintext. An answer without a known reason is
// reduced to its code.
func withoutBody(err error) error {
	var answer apierrors.APIStatus
	if !errors.As(err, &answer) {
		return err // the request did not reach the API server's validation
	}
	return &refusal{reason: reasonOf(answer.Status()), err: err}
}

// refusal prints only the reason and wraps the error for errors.As.
type refusal struct {
	reason string
	err    error
}

func (e *refusal) Error() string { return "the API server refused: " + e.reason }
func (e *refusal) Unwrap() error { return e.err }
