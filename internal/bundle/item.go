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

// Item is one object of a tenant, reduced to what this package needs.
type Item struct {
	// Secret is what it claims and uses of the tenant's limits. The size of a Source is
	// not known.
	policy.Secret
	// Enabled is false if the user disabled projection.
	Enabled bool
	// Sealed is the sealed value, or its brief, or "".
	Sealed string
	// Source is where the value comes from if it is not sealed, or nil.
	Source *v1alpha1.SecretKeyRef
	// Approved reports whether package approval allows the use of Source.
	Approved bool
	// Env is the variable, or "". EnvAsked reports whether the object names it;
	// otherwise it is derived from the path.
	Env      string
	EnvAsked bool
	// File is the file: as the user wrote it, or relative to the environment's
	// directory; or "".
	File string
	// Path and Type are those of an agent secret. The problems say why they cannot be
	// used, which is possible if the object was stored without admission.
	Path                     []string
	Type                     *typedvalue.Type
	PathProblem, TypeProblem string
}

// OfUser reduces a UserSecret to what policies are applied to.
func OfUser(u *v1alpha1.UserSecret) policy.Secret {
	return policy.Secret{Claimant: claim.OfUser(u), Use: UserUse(u)}
}

// OfAgent reduces an AgentSecret to what policies are applied to.
func OfAgent(a *v1alpha1.AgentSecret) policy.Secret {
	h := claim.OfAgent(a)
	return policy.Secret{Claimant: h, Use: agentUse(a, h)}
}

// UserItem reduces a UserSecret. approved reports whether its source is approved.
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
		Secret:   OfAgent(a),
		Enabled:  true,
		Sealed:   a.Spec.SealedValue,
		EnvAsked: a.Spec.EnvName != "",
		Path:     a.Spec.Path,
	}
	it.Env, it.File = it.Of(v1alpha1.ClaimEnv), it.Of(v1alpha1.ClaimFile)
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

// Context returns the context that the item's value is sealed for.
func (it Item) Context(namespace string) (seal.Context, error) {
	if it.Type == nil {
		return binding.User(namespace, it.Name), nil
	}
	return binding.Agent(namespace, it.Name, it.Path, it.Type)
}
