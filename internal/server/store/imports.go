// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
)

// importGrace is how long an import may be in progress. It is far longer than any
// request may take.
const importGrace = 5 * time.Minute

// Sweep finishes what requests left behind when their replica died: it finishes imports
// that were committed and deletes those that were not. It returns the number of objects
// that it changed.
func Sweep(ctx context.Context, r client.Reader, w client.Writer, now time.Time) (int, error) {
	list := &v1alpha1.UserSecretList{}
	if err := r.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
		return 0, fmt.Errorf("list UserSecrets: %w", err)
	}
	type batch struct{ namespace, id string }
	committed := map[batch]bool{}
	for i := range list.Items {
		if id := list.Items[i].Annotations[v1alpha1.AnnotationCommitted]; id != "" {
			committed[batch{list.Items[i].Namespace, id}] = true
		}
	}
	var errs []error
	swept := 0
	for i := range list.Items {
		obj := &list.Items[i]
		pending, mark := obj.Annotations[v1alpha1.AnnotationPending], obj.Annotations[v1alpha1.AnnotationCommitted]
		if (pending == "" && mark == "") || now.Sub(obj.CreationTimestamp.Time) < importGrace {
			continue
		}
		var err error
		if mark != "" || committed[batch{obj.Namespace, pending}] {
			err = finish(ctx, w, obj.DeepCopy())
		} else {
			uid := obj.UID
			err = w.Delete(ctx, obj.DeepCopy(), client.Preconditions{UID: &uid})
		}
		if client.IgnoreNotFound(err) != nil {
			errs = append(errs, refused("sweep an import", err))
		}
		swept++
	}
	return swept, errors.Join(errs...)
}
