// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package agentsecret is the admission of AgentSecrets. It brings path and type into
// canonical form, checks the value against the type and seals it, maintains the
// revision, and removes the value from kubectl's annotation. It reads objects from the
// cache.
package agentsecret

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	admissionv1 "k8s.io/api/admission/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/bundle"
	"github.com/latchkey-dev/latchkey/internal/policy"
	"github.com/latchkey-dev/latchkey/internal/policy/claim"
	"github.com/latchkey-dev/latchkey/internal/policy/limits"
	"github.com/latchkey-dev/latchkey/internal/typedvalue"
	"github.com/latchkey-dev/latchkey/webhook/sealing"
)

// Handler admits AgentSecrets.
type Handler struct {
	// Reader reads the tenant's AgentSecrets from the cache.
	Reader client.Reader
	// Access checks the rights of the author.
	Access sealing.Access
	// Namespaces has the UIDs that values may be sealed for; nil if that is not
	// allowed.
	Namespaces sealing.Namespaces
	// Keyring seals and opens values.
	Keyring sealing.Keyring
	// Limits are the tenant's limits.
	Limits limits.Agent
	// Latchkey has the user names of Latchkey's own processes. Only they may write
	// internal annotations, and only the server may raise a revision without a new
	// value.
	Latchkey sealing.Latchkey
}

// request is one AgentSecret to admit.
type request struct {
	obj, old *v1alpha1.AgentSecret
	// namespace is the object's namespace.
	namespace string
	create    bool
	// hasValue reports whether spec.value is present, even if it is null.
	hasValue bool
	// author is the user who sent the request.
	author string
	// reader checks whether the author may read the value.
	reader *sealing.Reader
	// typ is the type of the value. Set by secretType.
	typ *typedvalue.Type
	// changed reports whether the value differs from the stored one. Set by value.
	changed bool
}

// Handle answers one request.
func (h *Handler) Handle(ctx context.Context, req admission.Request) admission.Response {
	r, err := read(req)
	if err != nil {
		return admission.Errored(http.StatusBadRequest, err)
	}
	// Only the stored object counts: a request can claim that its object is being
	// deleted, and server-side apply removes that after admission.
	review, own := &sealing.Review{}, h.Latchkey.Wrote(req)
	if !r.old.DeletionTimestamp.IsZero() {
		review.Annotations(r.obj.Annotations, r.old.Annotations, nil, own)
		return review.Response()
	}
	r.reader = &sealing.Reader{Access: h.Access, Request: req, Self: h.Latchkey.Server, Reads: reads(r.obj.Name)}
	if !sealing.Named(r.obj.Name, r.obj.GenerateName, review) {
		return review.Response()
	}
	if r.hasValue {
		review.Remove("/spec/value")
	}
	r.path(review)
	r.secretType(review)
	if !review.Refused() {
		if err := h.value(ctx, r, review); err != nil {
			return sealing.Unavailable(err)
		}
	}
	h.revision(r, review)
	if err := h.tenant(ctx, r, review); err != nil {
		return sealing.Unavailable(err)
	}
	r.obj.Annotations = review.Annotations(r.obj.Annotations, r.old.Annotations, map[string]string{
		v1alpha1.AnnotationCanonicalPath: r.canonical(),
	}, own)
	if err := h.keepOut(ctx, r, review); err != nil {
		return sealing.Unavailable(err)
	}
	review.WarnReplaced(req)
	review.Managers(req)
	return review.Response()
}

// read decodes the objects. The decoder's message can quote what it read, so it is not
// used.
func read(req admission.Request) (*request, error) {
	r := &request{
		obj:       &v1alpha1.AgentSecret{},
		old:       &v1alpha1.AgentSecret{},
		create:    req.Operation == admissionv1.Create,
		author:    req.UserInfo.Username,
		namespace: req.Namespace,
	}
	var members struct {
		Spec map[string]json.RawMessage `json:"spec"`
	}
	if json.Unmarshal(req.Object.Raw, r.obj) != nil || json.Unmarshal(req.Object.Raw, &members) != nil {
		return nil, errors.New("AgentSecret cannot be read: check the types of its fields")
	}
	_, r.hasValue = members.Spec["value"]
	if !r.create && json.Unmarshal(req.OldObject.Raw, r.old) != nil {
		return nil, errors.New("the stored AgentSecret cannot be read")
	}
	return r, nil
}

// revision sets the revision: 0 at first, one more with every new value. Only
// Latchkey's own server can raise it without a new value, as the REST contract
// requires.
func (h *Handler) revision(r *request, review *sealing.Review) {
	want := r.old.Spec.Revision
	switch {
	case r.create:
		want = 0
	case r.obj.Spec.Revision == want+1 && h.Latchkey.Server != "" && r.author == h.Latchkey.Server:
		want++
	case r.changed:
		want++
	}
	if r.obj.Spec.Revision != want {
		review.Set("/spec/revision", want)
	}
}

// tenant checks what depends on the tenant's other objects: claims and limits.
func (h *Handler) tenant(ctx context.Context, r *request, review *sealing.Review) error {
	all := &v1alpha1.AgentSecretList{}
	if err := h.Reader.List(ctx, all, client.InNamespace(r.obj.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list AgentSecrets: %w", err)
	}
	others := make([]policy.Secret, 0, len(all.Items))
	for i := range all.Items {
		if o := &all.Items[i]; o.Name != r.obj.Name {
			others = append(others, bundle.OfAgent(o))
		}
	}
	change := policy.Change{Secret: bundle.OfAgent(r.obj)}
	if !r.create {
		before := bundle.OfAgent(r.old)
		change.Before = &before
	}
	// A variable or file that is derived from the path is not refused, because the REST
	// contract has no such refusal. The status of the later object reports it.
	change.Claims = slices.DeleteFunc(change.Claims, func(c claim.Claim) bool {
		return c.Kind == v1alpha1.ClaimEnv && r.obj.Spec.EnvName == "" || c.Kind == v1alpha1.ClaimFile && r.obj.Spec.FilePath == ""
	})
	sealing.Tenant(change, others, h.Limits.Check, review)
	if excess := h.Limits.CheckValue(bundle.SizeOf(r.old.Spec.SealedValue), bundle.SizeOf(r.obj.Spec.SealedValue)); excess != nil {
		review.Refuse("spec", sealing.CauseLimit, excess.Error())
	}
	return nil
}
