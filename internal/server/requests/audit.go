// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package requests

import (
	"context"

	"k8s.io/apiserver/pkg/audit"
)

// What the audit record of a request adds to the usual fields. To the API server,
// REST's writes are made by the server's own account. These annotations connect the
// caller with the API server's audit log, which names the object and that account.
const (
	// AuditFace is direct or aggregated.
	AuditFace = "latchkey.dev/face"
	// AuditTenant is the Namespace.
	AuditTenant = "latchkey.dev/namespace"
	// AuditObject is the kind and the metadata.name of each object concerned.
	AuditObject = "latchkey.dev/object"
)

// Audited adds to the audit record what a request is about. Nothing that can be part of
// a value may be passed.
func Audited(ctx context.Context, key, value string) {
	if value != "" {
		audit.AddAuditAnnotation(ctx, key, value)
	}
}
