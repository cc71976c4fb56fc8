// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package agentsecret

import (
	"context"
	"fmt"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/binding"
	"github.com/latchkey-dev/latchkey/internal/leak"
	"github.com/latchkey-dev/latchkey/webhook/sealing"
)

// keepOut keeps the value, and every text in it, out of all other readable parts of the
// object. The words of its type are readable anyway.
func (h *Handler) keepOut(ctx context.Context, r *request, review *sealing.Review) error {
	exposed := sealing.Exposed{Object: r.obj, Old: r.old, Fields: fieldsOf(r.obj), Stored: fieldsOf(r.old)}
	var finder *leak.Finder
	// Without a path and a type, the object has no value.
	if at, err := binding.Agent(r.namespace, r.obj.Name, r.obj.Spec.Path, r.typ); err == nil {
		value, known, err := r.reader.Known(ctx, h.Keyring, at, r.obj.Spec.SealedValue, exposed)
		if err != nil {
			return err
		}
		if known {
			finder = leak.OfJSON(value, []byte(at.Type))
		}
	}
	review.KeepOut(finder, exposed)
	return nil
}

func fieldsOf(a *v1alpha1.AgentSecret) map[string]string {
	fields := map[string]string{"spec.envName": a.Spec.EnvName, "spec.filePath": a.Spec.FilePath}
	for i, segment := range a.Spec.Path {
		fields[fmt.Sprintf("spec.path[%d]", i)] = segment
	}
	return fields
}
