// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package coder

import (
	"context"
	"strings"
	"time"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/server/requests"
	"github.com/latchkey-dev/latchkey/internal/server/store"
)

// secret is what the API shows of one user secret. It has no field for the value.
type secret struct {
	ID          string    `json:"id"`
	Name        string    `json:"name"`
	Description string    `json:"description"`
	EnvName     string    `json:"env_name"`
	FilePath    string    `json:"file_path"`
	Enabled     bool      `json:"enabled"`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
}

func viewAll(objs []*v1alpha1.UserSecret) []secret {
	out := make([]secret, 0, len(objs)) // an empty array, never null
	for _, o := range objs {
		out = append(out, view(o))
	}
	return out
}

func view(u *v1alpha1.UserSecret) secret {
	return secret{
		ID:          string(u.UID),
		Name:        u.SecretName(),
		Description: u.Spec.Description,
		EnvName:     u.Spec.EnvName,
		FilePath:    u.Spec.FilePath,
		Enabled:     u.IsEnabled(),
		CreatedAt:   u.CreationTimestamp.UTC(),
		// The API server stores creation times in whole seconds, so both times are
		// rounded to them.
		UpdatedAt: store.UpdatedAt(u, time.Now()).Truncate(time.Second),
	}
}

// audited adds the objects that a request concerns to its audit record.
func audited(ctx context.Context, objs ...*v1alpha1.UserSecret) {
	names := make([]string, 0, len(objs))
	for _, o := range objs {
		names = append(names, "UserSecret/"+o.Name)
	}
	requests.Audited(ctx, requests.AuditObject, strings.Join(names, " "))
}
