// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package golem

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/binding"
	"github.com/latchkey-dev/latchkey/internal/seal"
	"github.com/latchkey-dev/latchkey/internal/server/directory"
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

// secret is the state of one agent secret at one moment: the revision, the type and the
// sealed value belong together.
type secret struct {
	// object must not be changed.
	object      *v1alpha1.AgentSecret
	environment directory.Tenant
	// typ is the type of the object, and never nil.
	typ *typedvalue.Type
}

// read returns the secret that an object of an environment stores.
func read(a *v1alpha1.AgentSecret, e directory.Tenant) (secret, error) {
	t, err := typedvalue.ParseStoredType(a.Spec.SecretType.Raw)
	if err != nil {
		return secret{}, fmt.Errorf("%w: the type of AgentSecret %s: %w", errUnreadable, a.Name, err)
	}
	return secret{object: a, environment: e, typ: t}, nil
}

// audited adds the object that a request concerns to its audit record.
func audited(ctx context.Context, a *v1alpha1.AgentSecret) {
	requests.Audited(ctx, requests.AuditObject, "AgentSecret/"+a.Name)
}

// view returns a secret in the form of the answer. value is canonical JSON, or nil for
// null.
func view(s secret, value []byte) agentSecret {
	return agentSecret{
		ID:            string(s.object.UID),
		EnvironmentID: s.environment.ID,
		Path:          s.object.Spec.Path,
		Revision:      s.object.Spec.Revision,
		SecretType:    s.typ,
		SecretValue:   value,
	}
}

// show returns a secret in the form of the answer. It opens a stored value only if the
// caller may see it. If that fails, it returns an error instead of null, because null
// means that the secret has no value.
func (h *Handler) show(ctx context.Context, s secret, reveal bool) (agentSecret, error) {
	if !reveal || s.object.Spec.SealedValue == "" {
		return view(s, nil), nil
	}
	stored, err := h.open(ctx, s)
	if requests.Outage(err) {
		return agentSecret{}, err
	}
	if err != nil {
		return agentSecret{}, fmt.Errorf("%w: opening the value of agent secret %s/%s: %w", errUnreadable, s.object.Namespace, s.object.Name, err)
	}
	value, err := typedvalue.CheckStored(s.typ, stored.Reveal())
	if err != nil {
		return agentSecret{}, fmt.Errorf("%w: printing the value of agent secret %s/%s: %w", errUnreadable, s.object.Namespace, s.object.Name, err)
	}
	return view(s, value), nil
}

func (h *Handler) open(ctx context.Context, s secret) (seal.Value, error) {
	at, err := binding.Agent(s.object.Namespace, s.object.Name, s.object.Spec.Path, s.typ)
	if err != nil {
		return seal.Value{}, err
	}
	return h.config.Opener.Open(ctx, at, s.object.Spec.SealedValue)
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
