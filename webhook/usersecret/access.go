// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package usersecret

import (
	"context"

	authorizationv1 "k8s.io/api/authorization/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// Reviews asks by SubjectAccessReview.
type Reviews struct {
	// Client creates the reviews.
	Client client.Writer
}

// MayGetSecret tells whether the author of req may get the Secret name in the
// request's namespace.
func (r Reviews) MayGetSecret(ctx context.Context, req admission.Request, name string) (bool, error) {
	extra := make(map[string]authorizationv1.ExtraValue, len(req.UserInfo.Extra))
	for k, v := range req.UserInfo.Extra {
		extra[k] = authorizationv1.ExtraValue(v)
	}
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User:   req.UserInfo.Username,
		Groups: req.UserInfo.Groups,
		UID:    req.UserInfo.UID,
		Extra:  extra,
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: req.Namespace, Verb: "get", Version: "v1", Resource: "secrets", Name: name,
		},
	}}
	if err := r.Client.Create(ctx, review); err != nil {
		return false, err
	}
	return review.Status.Allowed, nil
}
