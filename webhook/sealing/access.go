// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package sealing

import (
	"context"
	"fmt"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/latchkey-dev/latchkey/internal/seal"
)

// Access checks the rights of the author of a request.
type Access interface {
	// May reports whether the author may do this in the request's namespace.
	May(ctx context.Context, req admission.Request, do authorizationv1.ResourceAttributes) (bool, error)
}

// Reviews checks rights by SubjectAccessReview.
type Reviews struct {
	// Client creates the reviews.
	Client client.Writer
}

// May implements Access.
func (r Reviews) May(ctx context.Context, req admission.Request, do authorizationv1.ResourceAttributes) (bool, error) {
	extra := make(map[string]authorizationv1.ExtraValue, len(req.UserInfo.Extra))
	for k, v := range req.UserInfo.Extra {
		extra[k] = authorizationv1.ExtraValue(v)
	}
	do.Namespace = req.Namespace
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User:               req.UserInfo.Username,
		Groups:             req.UserInfo.Groups,
		UID:                req.UserInfo.UID,
		Extra:              extra,
		ResourceAttributes: &do,
	}}
	if err := r.Client.Create(ctx, review); err != nil {
		return false, err
	}
	return review.Status.Allowed, nil
}

// Namespaces has the existing namespaces.
type Namespaces interface {
	// UID returns the current UID of a namespace.
	UID(ctx context.Context, name string) (string, error)
}

// LiveNamespaces asks the API server: a cache could still have a namespace that was
// deleted and created again.
type LiveNamespaces struct {
	// Reader reads from the API server.
	Reader client.Reader
}

// UID implements Namespaces.
func (n LiveNamespaces) UID(ctx context.Context, name string) (string, error) {
	ns := &metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}}
	err := n.Reader.Get(ctx, client.ObjectKey{Name: name}, ns)
	return string(ns.UID), err
}

// Reader checks, once, whether the author of a request may read the value of its
// object.
type Reader struct {
	// Access checks rights.
	Access Access
	// Request is the request.
	Request admission.Request
	// Self is the name under which Latchkey's own server writes, or "".
	Self string
	// Submitted is the value if the author sent it in plain text, and so knows it.
	Submitted *seal.Value
	// Reads are the rights that an author needs to read the value.
	Reads []authorizationv1.ResourceAttributes

	asked, may bool
}

// May reports whether the author may read the value.
func (r *Reader) May(ctx context.Context) (bool, error) {
	if r.asked {
		return r.may, nil
	}
	for _, do := range r.Reads {
		may, err := r.Access.May(ctx, r.Request, do)
		if err != nil {
			return false, fmt.Errorf("ask whether the author may read the value: %w", err)
		}
		if !may {
			r.asked = true
			return false, nil
		}
	}
	r.asked, r.may = true, true
	return true, nil
}

// Comparable returns the stored ciphertext that a new value may be compared with. The
// answer to a dry run shows whether the ciphertext stays, and so whether both values
// are equal. An author who may not read the value could use that to test guesses. For
// such an author, every value is treated as a new one. A write that is stored reveals
// the same, but a wrong guess replaces the value.
func (r *Reader) Comparable(ctx context.Context, old string) (string, error) {
	if old == "" || r.Request.DryRun == nil || !*r.Request.DryRun {
		return old, nil
	}
	may, err := r.May(ctx)
	if err != nil || !may {
		return "", err
	}
	return old, nil
}
