// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"github.com/latchkey-dev/latchkey/internal/policy/claim"
	"github.com/latchkey-dev/latchkey/internal/policy/limits"
)

// Secret is one object of a tenant, reduced to what policies are applied to.
type Secret struct {
	// Claimant is what the object claims.
	claim.Claimant
	// Use is what it uses of the tenant's limits.
	Use limits.Use
}

// Change is an object in the state that a request asks for.
type Change struct {
	Secret
	// Before is the previous state; nil for a new object. Earlier claims are not
	// checked again, so that an object that lost a claim can still be changed.
	Before *Secret
}

// Conflict is a claim of a change that another object holds.
type Conflict struct {
	// Index is the place of the change in the request.
	Index int
	// Claim is the claim of both.
	Claim claim.Claim
	// Holder is the metadata.name of the other object; "" for one of the same request
	// without a name.
	Holder string
}

// Verdict has the objections to some changes. The zero Verdict allows them.
type Verdict struct {
	// Conflicts are in the order of the changes, and of the claims of each.
	Conflicts []Conflict
	// Excess is the first limit that they exceed together, or nil.
	Excess *limits.Excess
}

// Limit returns the limit that more use exceeds, or nil, such as [limits.User.Check]
// and [limits.Agent.Check].
type Limit func(was, is limits.Use) *limits.Excess

// Judge checks changes, as a whole, against the tenant's other objects.
func Judge(changes []Change, others []Secret, limit Limit) Verdict {
	claimants := make([]claim.Claimant, 0, len(others))
	for _, o := range others {
		claimants = append(claimants, o.Claimant)
	}
	table := claim.NewTable(claimants)
	var was limits.Use
	for _, o := range others {
		if table.Counts(o.Claimant) {
			was = was.Add(o.Use)
		}
	}
	is := was
	var v Verdict
	earlier := map[claim.Claim]string{} // the claims of the preceding changes
	for i, c := range changes {
		for _, cl := range c.Claims {
			holder, taken := table.Holder(cl)
			if !taken {
				holder, taken = earlier[cl]
			}
			if taken && (c.Before == nil || !c.Before.Has(cl)) {
				v.Conflicts = append(v.Conflicts, Conflict{Index: i, Claim: cl, Holder: holder})
			}
			earlier[cl] = c.Name
		}
		is = is.Add(c.Use)
		if c.Before != nil {
			was = was.Add(c.Before.Use)
		}
	}
	v.Excess = limit(was, is)
	return v
}
