// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/binding"
	"github.com/latchkey-dev/latchkey/internal/policy"
	"github.com/latchkey-dev/latchkey/internal/policy/claim"
	"github.com/latchkey-dev/latchkey/internal/seal"
	"github.com/latchkey-dev/latchkey/internal/typedvalue"
	"github.com/latchkey-dev/latchkey/internal/typedvalue/agentpath"
)

// Item is one object of a tenant, reduced to what bundling needs.
type Item struct {
	// Secret is what it claims, and what it takes of the tenant's limits; of a Source, the
	// size is not known.
	policy.Secret
	// Enabled is false where the user switched projection off.
	Enabled bool
	// Sealed is the sealed value, or its brief, or "".
	Sealed string
	// Source is where the value comes from instead, or nil.
	Source *v1alpha1.SecretKeyRef
	// Approved reports whether the value may be taken from Source, as package approval
	// judges it.
	Approved bool
	// Env is the variable, or "". EnvAsked reports whether the object names it, rather
	// than that it is made from the path.
	Env      string
	EnvAsked bool
	// File is the file: as the user wrote it, or relative to the environment's
	// directory; or "".
	File string
	// Path and Type are an agent secret's; the problems say why they cannot be used,
	// as can be where objects were stored without admission.
	Path                     []string
	Type                     *typedvalue.Type
	PathProblem, TypeProblem string
}

// OfUser reduces a UserSecret to what is judged of it.
func OfUser(u *v1alpha1.UserSecret) policy.Secret {
	return policy.Secret{Claimant: claim.OfUser(u), Use: UserUse(u)}
}

// OfAgent reduces an AgentSecret to what is judged of it.
func OfAgent(a *v1alpha1.AgentSecret) policy.Secret {
	return policy.Secret{Claimant: claim.OfAgent(a), Use: AgentUse(a)}
}

// UserItem reduces a UserSecret, whose source is approved or not.
func UserItem(u *v1alpha1.UserSecret, approved bool) Item {
	it := Item{
		Secret:  OfUser(u),
		Enabled: u.IsEnabled(),
		Sealed:  u.Spec.SealedValue,
		Env:     u.Spec.EnvName, EnvAsked: u.Spec.EnvName != "",
		File: u.Spec.FilePath,
	}
	if u.Spec.ValueFrom != nil {
		ref := u.Spec.ValueFrom.SecretKeyRef
		it.Source, it.Approved = &ref, approved
	}
	return it
}

// AgentItem reduces an AgentSecret.
func AgentItem(a *v1alpha1.AgentSecret) Item {
	it := Item{
		Secret:  OfAgent(a),
		Enabled: true,
		Sealed:  a.Spec.SealedValue,
		Env:     claim.AgentEnv(a), EnvAsked: a.Spec.EnvName != "",
		File: claim.AgentFile(a),
		Path: a.Spec.Path,
	}
	if err := agentpath.CheckCanonical(a.Spec.Path); err != nil {
		it.PathProblem = err.Error()
	}
	t, err := typedvalue.ParseStoredType(a.Spec.SecretType.Raw)
	if err != nil {
		it.TypeProblem = err.Error()
	}
	it.Type = t
	return it
}

// Context returns what the item's value is sealed for.
func (it Item) Context(namespace string) (seal.Context, error) {
	if it.Type == nil {
		return binding.User(namespace, it.Name), nil
	}
	return binding.Agent(namespace, it.Name, it.Path, it.Type)
}
