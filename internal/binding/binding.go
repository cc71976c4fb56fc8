// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package binding defines what the value of each kind of object is sealed for. All code
// that seals or opens uses it. It is pure.
package binding

import (
	"fmt"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/seal"
	"github.com/latchkey-dev/latchkey/internal/typedvalue"
)

const (
	userKind  = "UserSecret"
	agentKind = "AgentSecret"
)

// WarningOlderForUID is the warning of admission for a sealedValue that was sealed for
// its namespace's UID as well, with an older key. Latchkey stores it for the name
// alone, so only its author can seal it again for the UID.
const WarningOlderForUID = "spec.sealedValue was sealed for the namespace's UID with an older key: seal the value again for that UID"

// User returns what the value of a UserSecret is sealed for.
func User(namespace, name string) seal.Context {
	return seal.Context{Kind: userKind, Namespace: namespace, Name: name}
}

// Agent returns what the value of an AgentSecret is sealed for. The path is canonical.
func Agent(namespace, name string, path []string, t *typedvalue.Type) (seal.Context, error) {
	canonical, err := t.Canonical()
	if err != nil {
		return seal.Context{}, fmt.Errorf("%w: %w", seal.ErrContext, err)
	}
	return seal.Context{Kind: agentKind, Namespace: namespace, Name: name, Path: path, Type: canonical}, nil
}

// OfAgent returns what the value of a stored AgentSecret is sealed for.
func OfAgent(a *v1alpha1.AgentSecret) (seal.Context, error) {
	t, err := typedvalue.ParseStoredType(a.Spec.SecretType.Raw)
	if err != nil {
		return seal.Context{}, fmt.Errorf("%w: %w", seal.ErrContext, err)
	}
	return Agent(a.Namespace, a.Name, a.Spec.Path, t)
}
