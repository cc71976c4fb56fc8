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

// nobody returns a name of a Namespace that no tenant has, one for each key. Rights are
// asked for in it where a key is no tenant's, so that a refusal takes the same work as
// that for a tenant whom the caller may not see. It follows from the key since reviews
// are cached: two unknown keys take the work of two tenants.
func nobody(key string) string {
	sum := sha256.Sum256([]byte(key))
	return "latchkey-nobody-" + hex.EncodeToString(sum[:16])
}

// away says that the API server could not be asked.
func away(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
}

// audited notes objects in the audit record of the request.
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
