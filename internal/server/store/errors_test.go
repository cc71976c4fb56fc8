// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"fmt"
	"testing"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/policy/limits"
)

func TestRefusalsSayWhat(t *testing.T) {
	conflict := &ConflictError{Conflicts: []Conflict{{Index: 0, Claim: v1alpha1.ClaimName}, {Index: 2, Claim: v1alpha1.ClaimFile}}}
	for name, tc := range map[string]struct {
		err  error
		want string
	}{
		"a conflict names every claim": {conflict, "already in use: name of secret 0, file path of secret 2"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tc.err.Error(); got != tc.want {
				t.Errorf("Error() = %q, want %q", got, tc.want)
			}
		})
	}
}

func TestJoinedRefusalsAreBothFound(t *testing.T) {
	err := fmt.Errorf("creating: %w", errors.Join(&limits.Excess{Kind: limits.ValueBytes}, &ConflictError{}))
	var (
		limit    *limits.Excess
		conflict *ConflictError
	)
	if !errors.As(err, &limit) || limit.Kind != limits.ValueBytes {
		t.Error("the limit is not found")
	}
	if !errors.As(err, &conflict) {
		t.Error("the conflict is not found")
	}
}
