// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package sealing

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// reviewer answers access reviews.
type reviewer struct {
	client.Writer
	allowed bool
	err     error
	got     authorizationv1.SubjectAccessReviewSpec
}

func (r *reviewer) Create(_ context.Context, obj client.Object, _ ...client.CreateOption) error {
	review, ok := obj.(*authorizationv1.SubjectAccessReview)
	if !ok {
		return errors.New("not expected")
	}
	r.got = review.Spec
	review.Status.Allowed = r.allowed
	return r.err
}

func TestReviewsAskForTheAuthor(t *testing.T) {
	req := admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
		Namespace: "alice",
		UserInfo: authenticationv1.UserInfo{
			Username: "mallory", UID: "1", Groups: []string{"g"}, Extra: map[string]authenticationv1.ExtraValue{"scope": {"x", "y"}},
		},
	}}
	want := authorizationv1.SubjectAccessReviewSpec{
		User: "mallory", UID: "1", Groups: []string{"g"}, Extra: map[string]authorizationv1.ExtraValue{"scope": {"x", "y"}},
		ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: "alice", Verb: "get", Version: "v1", Resource: "secrets", Name: "s"},
	}
	for name, tt := range map[string]struct {
		reviewer reviewer
		want     bool
	}{
		"who may, may":                       {reviewer{allowed: true}, true},
		"who may not, may not":               {reviewer{}, false},
		"who nobody can tell about, may not": {reviewer{allowed: true, err: errors.New("timeout")}, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := tt.reviewer
			got, err := Reviews{Client: &r}.May(t.Context(), req, authorizationv1.ResourceAttributes{Verb: "get", Version: "v1", Resource: "secrets", Name: "s"})
			if got != tt.want || !errors.Is(err, tt.reviewer.err) {
				t.Errorf("May = %t, %v, want %t, %v", got, err, tt.want, tt.reviewer.err)
			}
			if diff := cmp.Diff(want, r.got); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
		})
	}
}
