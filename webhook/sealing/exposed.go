// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package sealing

import (
	"context"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/leak"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

// freeTextBytes is the minimum length of a text for which the stored value is opened.
// No shorter value is searched for.
const freeTextBytes = 8

const descriptionField = "spec.description"

// Exposed has the parts of an object that everyone with read access sees.
type Exposed struct {
	// Object is the object, Old the stored one or an empty one.
	Object, Old client.Object
	// Fields are texts of its spec by name, Stored those of Old.
	Fields, Stored map[string]string
}

// News reports whether the request adds free text that could contain a value: an
// annotation, a label or a description. Text of Latchkey and kubectl does not count.
// Nor do names, which every object has: checking each would cost a request to the API
// server.
func (e Exposed) News() bool {
	description := e.Fields[descriptionField]
	return len(description) >= freeTextBytes && description != e.Stored[descriptionField] || news(e.Object.GetLabels(), e.Old.GetLabels()) ||
		news(e.Object.GetAnnotations(), e.Old.GetAnnotations())
}

func news(is, was map[string]string) bool {
	for name, text := range is {
		own := strings.HasPrefix(name, v1alpha1.GroupVersion.Group+"/") || name == corev1.LastAppliedConfigAnnotation
		if stored, has := was[name]; !own && (!has || stored != text) && max(len(text), len(name)) >= freeTextBytes {
			return true
		}
	}
	return false
}

// Known returns the value of an object, to search for it in texts: the one that the
// author sent, or the sealed one if there are new texts and the author may read it. For
// an author who may not read the value, the result of the search would confirm a guess.
func (r *Reader) Known(ctx context.Context, k Keyring, at seal.Context, text string, e Exposed) (v seal.Value, ok bool, err error) {
	if r.Submitted != nil {
		return *r.Submitted, true, nil
	}
	if text == "" || r.Request.UserInfo.Username == r.Self || !e.News() {
		return seal.Value{}, false, nil
	}
	if may, err := r.May(ctx); err != nil || !may {
		return seal.Value{}, false, err
	}
	if v, err = k.Open(ctx, at, text); err != nil {
		return seal.Value{}, false, nil //nolint:nilerr // nobody knows such a value
	}
	return v, true, nil
}

// KeepOut removes the value from annotations, and refuses it anywhere else that more
// people may read than the value. It must be called after all that sets annotations.
func (r *Review) KeepOut(f *leak.Finder, e Exposed) {
	r.Copies(e.Object.GetAnnotations(), f)
	refuse := func(field string) {
		r.Refuse(field, metav1.CauseTypeFieldValueInvalid, "it holds the value, which more people can read here: take it out")
	}
	for _, field := range slices.Sorted(maps.Keys(e.Fields)) {
		if f.In(e.Fields[field]) {
			refuse(field)
		}
	}
	if f.In(e.Object.GetName()) {
		refuse("metadata.name")
	}
	if slices.ContainsFunc(slices.Collect(maps.Keys(e.Object.GetAnnotations())), f.In) {
		refuse("metadata.annotations")
	}
	for name, text := range e.Object.GetLabels() {
		if f.In(name) || f.In(text) {
			refuse("metadata.labels")
			break
		}
	}
	if slices.ContainsFunc(e.Object.GetFinalizers(), f.In) {
		refuse("metadata.finalizers")
	}
	if slices.ContainsFunc(e.Object.GetManagedFields(), func(m metav1.ManagedFieldsEntry) bool { return f.In(m.Manager) }) {
		refuse("metadata.managedFields")
	}
}
