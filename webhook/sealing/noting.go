// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package sealing

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// Noting wraps handler and calls note with the namespace of each write that it admits:
// the write is about to be stored, and the cache does not have it yet.
func Noting(handler admission.Handler, note func(namespace string)) admission.Handler {
	return admission.HandlerFunc(func(ctx context.Context, req admission.Request) admission.Response {
		resp := handler.Handle(ctx, req)
		if resp.Allowed && (req.DryRun == nil || !*req.DryRun) {
			note(req.Namespace)
		}
		return resp
	})
}
