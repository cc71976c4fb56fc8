// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package usersecret

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/approval"
	"github.com/latchkey-dev/latchkey/webhook/sealing"
)

// approve returns the approval of the object's source, or "". It refuses a write if its
// author may not use the source for the targets of the object. Latchkey reads the
// source with its own rights, which must not become the author's.
//
// It does not check the rights of Latchkey's own processes: the server sends the
// approval of the REST caller, and an object that the controller rewrites stays
// approved if it was. It must be called when all other changes of the spec are known.
func (h *Handler) approve(ctx context.Context, req admission.Request, obj, old *v1alpha1.UserSecret, review *sealing.Review) (string, error) {
	if obj.Spec.ValueFrom == nil {
		return "", nil
	}
	key, err := h.DigestKey()
	if err != nil {
		return "", err
	}
	change := approval.Change{After: obj, Generation: 1, Now: h.Now()}
	if old.Name != "" {
		change.Before, change.Generation = old, old.Generation
		if !review.LeavesSpec(req) {
			change.Generation++
		}
	}
	source, own := obj.Spec.ValueFrom.SecretKeyRef.Name, h.Latchkey.Wrote(req)
	if own && change.Holds(key) {
		return obj.Annotations[v1alpha1.AnnotationSourceApproval], nil
	}
	text, ok, err := change.Approve(key, func() (bool, error) {
		if own {
			return false, nil
		}
		return h.Access.May(ctx, req, getSecret(source))
	})
	if err != nil {
		return "", fmt.Errorf("ask whether the author may get the source Secret: %w", err)
	}
	if !ok && !own {
		review.Refuse("spec.valueFrom", metav1.CauseTypeForbidden,
			fmt.Sprintf("%s may not get Secret %s in this namespace, and so cannot use it as a source: ask for that right, or set value instead", req.UserInfo.Username, source))
	}
	return text, nil
}
