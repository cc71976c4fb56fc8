// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package requests

import (
	"context"

	"k8s.io/apiserver/pkg/audit"
)

// What the audit record of a request says beside who sent what when and how it ended. A
// write of REST's is the server's own to the API server: these join its audit log, which
// names the object and the server, with the caller.
const (
	// AuditFace is direct or aggregated.
	AuditFace = "latchkey.dev/face"
	// AuditTenant is the Namespace.
	AuditTenant = "latchkey.dev/namespace"
	// AuditObject is the kind and the metadata.name of the object, or of several.
	AuditObject = "latchkey.dev/object"
)

// Audited notes what a request is about in its audit record. Nothing that can be part of
// a value may be given.
func Audited(ctx context.Context, key, value string) {
	if value != "" {
		audit.AddAuditAnnotation(ctx, key, value)
	}
}
