// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
)

// canary stands for what an API server may quote of an object.
const canary = "canary-4d8f"

// denied is what admission answers, with causes.
func denied(causes ...metav1.StatusCause) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusUnprocessableEntity, Reason: metav1.StatusReasonInvalid,
		Message: "admission webhook denied the request: " + canary, Details: &metav1.StatusDetails{Causes: causes},
	}}
}

// terminating is what the API server answers in a Namespace that is being deleted.
func terminating() error {
	err := apierrors.NewForbidden(schema.GroupResource{Resource: "usersecrets"}, "a", errors.New(canary))
	err.ErrStatus.Details.Causes = append(err.ErrStatus.Details.Causes, metav1.StatusCause{Type: corev1.NamespaceTerminatingCause, Message: canary})
	return err
}

func TestRefused(t *testing.T) {
	resource := schema.GroupResource{Resource: "usersecrets"}
	for name, tt := range map[string]struct {
		err             error
		wantText        string
		wantUnavailable bool
	}{
		"a field that breaks a rule is no conflict": {
			err:      denied(metav1.StatusCause{Type: metav1.CauseTypeFieldValueInvalid, Field: "spec.name", Message: canary}),
			wantText: "write: the API server refused it: Invalid",
		},
		"a refusal is told by its reason": {
			err: apierrors.NewForbidden(resource, "a", errors.New(canary)), wantText: "write: the API server refused it: Forbidden",
		},
		"rights that we lack are no refusal of the caller": {
			err: apierrors.NewForbidden(resource, "a", errors.New(`User "us" cannot create resource`)), wantUnavailable: true,
			wantText: "the store is not available, try again: write: the API server answered Forbidden",
		},
		"a token of ours that is not taken is none either": {
			err: apierrors.NewUnauthorized(canary), wantUnavailable: true, wantText: "the store is not available, try again: write: the API server answered Unauthorized",
		},
		"a namespace that is gone is no tenant": {
			err: apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, canary), wantText: "the tenant's Namespace is gone: write",
		},
		"a namespace that ends takes nothing in": {
			err: terminating(), wantText: "the tenant's Namespace is being deleted: write",
		},
		"a kind that is missing may come back": {
			err: apierrors.NewGenericServerResponse(http.StatusNotFound, "post", resource, "", canary, 0, true), wantUnavailable: true,
			wantText: "the store is not available, try again: write: the API server answered NotFound",
		},
		"a refusal without a reason is told by its code": {
			err:      &apierrors.StatusError{ErrStatus: metav1.Status{Code: http.StatusBadRequest, Message: canary}},
			wantText: "write: the API server refused it: code 400",
		},
		"an API server that is busy may answer later": {
			err: apierrors.NewTooManyRequests(canary, 1), wantUnavailable: true, wantText: "the store is not available, try again: write: the API server answered TooManyRequests",
		},
		"an API server that stops may answer later": {
			err: apierrors.NewServiceUnavailable(canary), wantUnavailable: true, wantText: "the store is not available, try again: write: the API server answered ServiceUnavailable",
		},
		"a webhook that is missing may come back": {
			err: apierrors.NewInternalError(errors.New(canary)), wantUnavailable: true, wantText: "the store is not available, try again: write: the API server answered InternalError",
		},
		"a proxy without a reason may come back": {
			err:             &apierrors.StatusError{ErrStatus: metav1.Status{Code: http.StatusServiceUnavailable, Message: canary}},
			wantUnavailable: true, wantText: "the store is not available, try again: write: the API server answered ",
		},
		"a request that ran out of time may be sent again": {
			err: context.DeadlineExceeded, wantUnavailable: true, wantText: "the store is not available, try again: write: context deadline exceeded",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := refused("write", tt.err)
			if got.Error() != tt.wantText || strings.Contains(got.Error(), canary) {
				t.Errorf("refused = %q, want %q", got, tt.wantText)
			}
			if errors.Is(got, ErrUnavailable) != tt.wantUnavailable {
				t.Errorf("unavailable = %t, want %t", !tt.wantUnavailable, tt.wantUnavailable)
			}
		})
	}
}

func TestAConflictIsPlacedWithinItsBatch(t *testing.T) {
	conflict := &ConflictError{Conflicts: []Conflict{{0, v1alpha1.ClaimName}, {0, v1alpha1.ClaimEnv}}}
	got := atIndex(errors.Join(errors.New("x"), conflict), 3)
	if diff := cmp.Diff(problems{Conflicts: []Conflict{{3, v1alpha1.ClaimName}, {3, v1alpha1.ClaimEnv}}}, problemsOf(got)); diff != "" {
		t.Errorf("atIndex (-want +got):\n%s", diff)
	}
	if other := errors.New("other"); !errors.Is(atIndex(other, 3), other) {
		t.Error("another error is lost")
	}
}
