// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package usersecret

import (
	"context"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/leak"
	"github.com/latchkey-dev/latchkey/internal/seal"
	"github.com/latchkey-dev/latchkey/webhook/sealing"
)

// keepOut keeps the value out of all other readable parts of the object.
func (h *Handler) keepOut(ctx context.Context, reader *sealing.Reader, at seal.Context, obj, old *v1alpha1.UserSecret, review *sealing.Review) error {
	exposed := sealing.Exposed{Object: obj, Old: old, Fields: fieldsOf(obj), Stored: fieldsOf(old)}
	value, known, err := reader.Known(ctx, h.Keyring, at, obj.Spec.SealedValue, exposed)
	if err != nil {
		return err
	}
	var finder *leak.Finder
	if known {
		finder = leak.Of(value)
	}
	review.KeepOut(finder, exposed)
	return nil
}

func fieldsOf(u *v1alpha1.UserSecret) map[string]string {
	return map[string]string{
		"spec.name": u.Spec.Name, "spec.description": u.Spec.Description, "spec.envName": u.Spec.EnvName, "spec.filePath": u.Spec.FilePath,
	}
}
