// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/binding"
	"github.com/latchkey-dev/latchkey/internal/policy/claim"
	"github.com/latchkey-dev/latchkey/internal/policy/limits"
	"github.com/latchkey-dev/latchkey/internal/seal"
	"github.com/latchkey-dev/latchkey/internal/typedvalue"
)

// Item is one object of a tenant, reduced to what bundling needs.
type Item struct {
	// Claimant is what the object claims.
	claim.Claimant
	// Enabled is false where the user switched projection off.
	Enabled bool
	// Sealed is the sealed value, or "".
	Sealed string
	// Source is where the value comes from instead, or nil.
	Source *v1alpha1.SecretKeyRef
	// Approved reports whether the value may be taken from Source, as package approval
	// judges it.
	Approved bool
	// Use is what it takes of the tenant's limits; of a Source, the size is not known.
	Use limits.Use
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

// UserItem reduces a UserSecret, whose source is approved or not.
func UserItem(u *v1alpha1.UserSecret, approved bool) Item {
	it := Item{
		Claimant: claim.OfUser(u),
		Enabled:  u.IsEnabled(),
		Sealed:   u.Spec.SealedValue,
		Use:      UserUse(u),
		Env:      u.Spec.EnvName, EnvAsked: u.Spec.EnvName != "",
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
		Claimant: claim.OfAgent(a),
		Enabled:  true,
		Sealed:   a.Spec.SealedValue,
		Use:      AgentUse(a),
		Env:      claim.AgentEnv(a), EnvAsked: a.Spec.EnvName != "",
		File: claim.AgentFile(a),
		Path: a.Spec.Path,
	}
	if err := typedvalue.CheckCanonicalPath(a.Spec.Path); err != nil {
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
