// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package backend

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/server/requests"
	"github.com/latchkey-dev/latchkey/internal/server/store"
)

// nobody returns a Namespace name that no tenant has, one for each key. If a key
// belongs to no tenant, rights are checked in that Namespace, so that the refusal takes
// the same work as for a tenant that the caller may not see. The name is derived from
// the key, because reviews are cached: two unknown keys take the work of two tenants.
func nobody(key string) string {
	sum := sha256.Sum256([]byte(key))
	return "latchkey-nobody-" + hex.EncodeToString(sum[:16])
}

// away reports that the API server could not be asked.
func away(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
}

// audited adds objects to the audit record of the request.
func audited[T client.Object](ctx context.Context, objs ...T) {
	names := make([]string, 0, len(objs))
	for _, o := range objs {
		kind := "UserSecret"
		if _, agent := any(o).(*v1alpha1.AgentSecret); agent {
			kind = "AgentSecret"
		}
		names = append(names, kind+"/"+o.GetName())
	}
	requests.Audited(ctx, requests.AuditObject, strings.Join(names, " "))
}
