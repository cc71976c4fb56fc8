// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package golem

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/latchkey-dev/latchkey/internal/seal"
	"github.com/latchkey-dev/latchkey/internal/server/requests"
	"github.com/latchkey-dev/latchkey/internal/typedvalue"
)

const (
	// maxChecking is how many large values are checked at once. A parser needs some
	// fifty MiB for a hostile value of 1 MiB, so this number bounds the memory, not the
	// number of clients.
	maxChecking = 2
	// largeValueBytes is the size from which a value waits for its turn. Smaller values
	// are checked at once, so that they do not wait for hostile ones.
	largeValueBytes = 64 << 10
)

// agentSecret is the contract's AgentSecret.
type agentSecret struct {
	ID            string           `json:"id"`
	EnvironmentID string           `json:"environmentId"`
	Path          []string         `json:"path"`
	Revision      int64            `json:"revision"`
	SecretType    *typedvalue.Type `json:"secretType"`
	SecretValue   json.RawMessage  `json:"secretValue"` // nil is written as null
}

// agentSecrets is the answer to a list.
type agentSecrets struct {
	Values []agentSecret `json:"values"`
}

// view returns a secret in the form of the answer. value is canonical JSON, or nil for
// null.
func view(s Secret, value []byte) agentSecret {
	return agentSecret{
		ID:            s.ID,
		EnvironmentID: s.Environment.ID,
		Path:          s.Path,
		Revision:      s.Revision,
		SecretType:    s.Type,
		SecretValue:   value,
	}
}

// show returns a secret in the form of the answer. It opens a stored value only if the
// caller may see it. If that fails, it returns an error instead of null, because null
// means that the secret has no value.
func (h *Handler) show(ctx context.Context, s Secret, reveal bool) (agentSecret, error) {
	if !reveal || s.Sealed == "" {
		return view(s, nil), nil
	}
	stored, err := h.config.Secrets.Open(ctx, s)
	if requests.Outage(err) {
		return agentSecret{}, err
	}
	if err != nil {
		return agentSecret{}, fmt.Errorf("%w: opening the value of agent secret %s/%s: %w", ErrUnreadable, s.Environment.Namespace, s.Object, err)
	}
	value, err := typedvalue.CheckStored(s.Type, stored.Reveal())
	if err != nil {
		return agentSecret{}, fmt.Errorf("%w: printing the value of agent secret %s/%s: %w", ErrUnreadable, s.Environment.Namespace, s.Object, err)
	}
	return view(s, value), nil
}

// check checks a value that was sent against its type and returns it in canonical form.
func (h *Handler) check(ctx context.Context, t *typedvalue.Type, text []byte) (seal.Value, error) {
	if len(text) > typedvalue.MaxValueBytes {
		return seal.Value{}, errValueTooLarge
	}
	if len(text) > largeValueBytes {
		select {
		case h.checking <- struct{}{}:
			defer func() { <-h.checking }()
		case <-ctx.Done():
			return seal.Value{}, ctx.Err()
		}
	}
	canonical, err := typedvalue.Check(t, text)
	if mismatch := (*typedvalue.MismatchError)(nil); errors.As(err, &mismatch) {
		return seal.Value{}, &invalidError{
			code:     codeMismatch,
			problems: []string{"Agent secret " + mismatch.Error()},
		}
	}
	if err != nil {
		return seal.Value{}, invalidRequest("secretValue: " + strings.TrimPrefix(err.Error(), "value: "))
	}
	return seal.NewValue(canonical), nil
}
