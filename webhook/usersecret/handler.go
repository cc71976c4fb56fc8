// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package usersecret is the admission of UserSecrets. It seals the value, sets the
// default name, removes the value from kubectl's annotation, approves sources, and
// refuses objects that could never become ready. It reads objects from the cache and
// asks the API server whether the author may read the Secret that valueFrom names.
package usersecret

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/binding"
	"github.com/latchkey-dev/latchkey/internal/bundle"
	"github.com/latchkey-dev/latchkey/internal/digest"
	"github.com/latchkey-dev/latchkey/internal/policy"
	"github.com/latchkey-dev/latchkey/internal/policy/limits"
	"github.com/latchkey-dev/latchkey/internal/policy/rules"
	"github.com/latchkey-dev/latchkey/internal/server/store"
	"github.com/latchkey-dev/latchkey/webhook/sealing"
)

// Handler admits UserSecrets.
type Handler struct {
	// Reader reads the tenant's UserSecrets from the cache.
	Reader client.Reader
	// Access checks the rights of the author.
	Access sealing.Access
	// Namespaces has the UIDs that values may be sealed for; nil if that is not
	// allowed.
	Namespaces sealing.Namespaces
	// Keyring seals and opens values.
	Keyring sealing.Keyring
	// DigestKey returns the key of the approvals of sources.
	DigestKey func() (digest.Key, error)
	// Latchkey has the user names of Latchkey's own processes, which may write internal
	// annotations.
	Latchkey sealing.Latchkey
	// Limits are the tenant's limits.
	Limits limits.User
	// Now returns the time.
	Now func() time.Time
}

// Handle answers one request.
func (h *Handler) Handle(ctx context.Context, req admission.Request) admission.Response {
	obj, old := &v1alpha1.UserSecret{}, &v1alpha1.UserSecret{}
	if err := decode(req, obj, old); err != nil {
		return admission.Errored(http.StatusBadRequest, err)
	}
	// Only the stored object counts: a request can claim that its object is being
	// deleted, and server-side apply removes that after admission.
	review, own := &sealing.Review{}, h.Latchkey.Wrote(req)
	if !old.DeletionTimestamp.IsZero() {
		review.Annotations(obj.Annotations, old.Annotations, nil, own)
		return review.Response()
	}
	if !sealing.Named(obj.Name, obj.GenerateName, review) {
		return review.Response()
	}
	if obj.Spec.Name == "" {
		review.Set("/spec/name", obj.Name)
		obj.Spec.Name = obj.Name
	}
	at := binding.User(req.Namespace, obj.Name)
	reader := &sealing.Reader{Access: h.Access, Request: req, Self: h.Latchkey.Server, Reads: reads}
	valueChanged, err := h.source(ctx, reader, at, obj, old, review)
	if err != nil {
		return sealing.Unavailable(err)
	}
	h.fields(obj, old, review)
	if err := h.tenant(ctx, obj, old, review); err != nil {
		return sealing.Unavailable(err)
	}
	approved, err := h.approve(ctx, req, obj, old, review)
	if err != nil {
		return sealing.Unavailable(err)
	}
	obj.Annotations = review.Annotations(obj.Annotations, old.Annotations, map[string]string{
		v1alpha1.AnnotationUpdatedAt:      store.NextUpdatedAt(old, obj, valueChanged, h.Now()),
		v1alpha1.AnnotationSourceApproval: approved,
	}, own)
	if err := h.keepOut(ctx, reader, at, obj, old, review); err != nil {
		return sealing.Unavailable(err)
	}
	review.WarnReplaced(req)
	review.Managers(req)
	return review.Response()
}

// decode decodes the objects. The decoder's message can quote what it read, so it is
// not used.
func decode(req admission.Request, obj, old *v1alpha1.UserSecret) error {
	if err := json.Unmarshal(req.Object.Raw, obj); err != nil {
		return fmt.Errorf("UserSecret cannot be read: check the types of its fields")
	}
	if req.Operation != admissionv1.Update {
		return nil
	}
	if err := json.Unmarshal(req.OldObject.Raw, old); err != nil {
		return fmt.Errorf("the stored UserSecret cannot be read")
	}
	return nil
}

// fields checks the rules of the fields that changed. The CRD has the same rules; here
// all problems are reported at once.
func (h *Handler) fields(obj, old *v1alpha1.UserSecret, review *sealing.Review) {
	for _, f := range []struct {
		field, is, was string
		rule           func(string) string
	}{
		{"spec.name", obj.SecretName(), old.Spec.Name, rules.Name},
		{"spec.envName", obj.Spec.EnvName, old.Spec.EnvName, rules.EnvName},
		{"spec.filePath", obj.Spec.FilePath, old.Spec.FilePath, rules.FilePath},
		{"spec.description", obj.Spec.Description, old.Spec.Description, rules.Description},
	} {
		if f.is == f.was {
			continue
		}
		if problem := f.rule(f.is); problem != "" {
			review.Refuse(f.field, metav1.CauseTypeFieldValueInvalid, problem)
		}
	}
}

// tenant checks what depends on the tenant's other objects: claims and limits.
func (h *Handler) tenant(ctx context.Context, obj, old *v1alpha1.UserSecret, review *sealing.Review) error {
	all := &v1alpha1.UserSecretList{}
	if err := h.Reader.List(ctx, all, client.InNamespace(obj.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list UserSecrets: %w", err)
	}
	others := make([]policy.Secret, 0, len(all.Items))
	for i := range all.Items {
		if o := &all.Items[i]; o.Name != obj.Name {
			others = append(others, bundle.OfUser(o))
		}
	}
	change := policy.Change{Secret: bundle.OfUser(obj)}
	if old.Name != "" {
		before := bundle.OfUser(old)
		change.Before = &before
	}
	sealing.Tenant(change, others, h.Limits.Check, review)
	return nil
}
