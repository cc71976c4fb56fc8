// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package claim decides which object holds a name, a path, a variable or a file when
// several objects of one tenant claim it: the one that claimed it first. Admission, the
// store and the controllers use this package, so they all give the same answer. Pure:
// objects in, decisions out.
//
// "First" is the order of the API server's resourceVersions, the only order that is the
// same for every replica. The controllers record in status.claims the resourceVersion
// at which they first saw a claim. A claim that is not recorded counts from the
// object's current resourceVersion, which can only be later. Two objects cannot have
// equal resourceVersions; the UID breaks ties nevertheless, so that the order is total
// on any input.
package claim

import (
	"cmp"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/policy/rules"
	"github.com/latchkey-dev/latchkey/internal/typedvalue/agentpath"
)

// Claim is something that at most one object of a tenant can hold.
type Claim struct {
	// Kind is what is claimed.
	Kind v1alpha1.ClaimKind
	// Value is the name, path, variable or file; case matters.
	Value string
}

// claims is the maximum number of claims of one object.
const claims = 3

// Claimant is an object, reduced to its claims.
type Claimant struct {
	// Name is the object's metadata.name.
	Name string
	// UID is the object's metadata.uid; empty for an object not yet created.
	UID types.UID
	// ResourceVersion is the object's metadata.resourceVersion.
	ResourceVersion string
	// Claims are what the object claims now, its name or path first.
	Claims []Claim
	// Recorded are the claims that its status records.
	Recorded []v1alpha1.Claim
}

// recorded returns the claims of a status that describes obj. A status from a backup
// describes the object that existed before, or in another cluster. No claim is older
// than the write that recorded it, so claims from the object's own resourceVersion on
// come from another cluster, too.
func recorded(obj metav1.Object, st v1alpha1.SecretStatus) []v1alpha1.Claim {
	if st.ObservedUID != string(obj.GetUID()) {
		return nil
	}
	foreign := func(c v1alpha1.Claim) bool { return compareVersions(c.Since, obj.GetResourceVersion()) >= 0 }
	if !slices.ContainsFunc(st.Claims, foreign) {
		return st.Claims
	}
	return slices.DeleteFunc(slices.Clone(st.Claims), foreign)
}

// OfUser returns what a UserSecret claims.
func OfUser(u *v1alpha1.UserSecret) Claimant {
	h := Claimant{Name: u.Name, UID: u.UID, ResourceVersion: u.ResourceVersion, Claims: make([]Claim, 0, claims), Recorded: recorded(u, u.Status)}
	h.add(v1alpha1.ClaimName, u.SecretName())
	h.add(v1alpha1.ClaimEnv, u.Spec.EnvName)
	h.add(v1alpha1.ClaimFile, u.Spec.FilePath)
	return h
}

// OfAgent returns what an AgentSecret claims. Its path must be canonical.
func OfAgent(a *v1alpha1.AgentSecret) Claimant {
	h := Claimant{Name: a.Name, UID: a.UID, ResourceVersion: a.ResourceVersion, Claims: make([]Claim, 0, claims), Recorded: recorded(a, a.Status)}
	h.add(v1alpha1.ClaimPath, strings.Join(a.Spec.Path, "."))
	h.add(v1alpha1.ClaimEnv, AgentEnv(a))
	h.add(v1alpha1.ClaimFile, AgentFile(a))
	return h
}

// AgentEnv returns the variable of an AgentSecret: spec.envName, else the one derived
// from its path, else "" if none can be derived. A variable that is refused by default
// is not derived: a secret at ["path"] must not replace PATH in every container.
func AgentEnv(a *v1alpha1.AgentSecret) string {
	if a.Spec.EnvName != "" {
		return a.Spec.EnvName
	}
	name, ok := agentpath.EnvName(a.Spec.Path)
	if !ok || (*rules.Targets)(nil).Env(name) != "" {
		return ""
	}
	return name
}

// AgentFile returns the file of an AgentSecret, relative to the environment's
// directory: spec.filePath, else its path's segments joined by slashes.
func AgentFile(a *v1alpha1.AgentSecret) string {
	if a.Spec.FilePath != "" {
		return a.Spec.FilePath
	}
	return strings.Join(a.Spec.Path, "/")
}

func (h *Claimant) add(kind v1alpha1.ClaimKind, value string) {
	if value != "" {
		h.Claims = append(h.Claims, Claim{Kind: kind, Value: value})
	}
}

// Of returns what h claims of a kind, or "".
func (h Claimant) Of(kind v1alpha1.ClaimKind) string {
	for _, c := range h.Claims {
		if c.Kind == kind {
			return c.Value
		}
	}
	return ""
}

// Has reports whether h claims c.
func (h Claimant) Has(c Claim) bool { return slices.Contains(h.Claims, c) }

// Since returns the resourceVersion from which h claims c.
func (h Claimant) Since(c Claim) string {
	for _, r := range h.Recorded {
		if r.Kind == c.Kind && r.Value == c.Value {
			return r.Since
		}
	}
	return h.ResourceVersion
}

// AppendRecord appends the claims to store in the status of h.
func (h Claimant) AppendRecord(out []v1alpha1.Claim) []v1alpha1.Claim {
	for _, c := range h.Claims {
		out = append(out, v1alpha1.Claim{Kind: c.Kind, Value: c.Value, Since: h.Since(c)})
	}
	return out
}

// Before reports whether a claimed c before b did.
func Before(c Claim, a, b Claimant) bool { return CompareClaims(a, c, b, c) < 0 }

// CompareClaims orders a's claim ca and b's claim cb, the earlier first.
func CompareClaims(a Claimant, ca Claim, b Claimant, cb Claim) int {
	if n := compareVersions(a.Since(ca), b.Since(cb)); n != 0 {
		return n
	}
	return cmp.Compare(a.UID, b.UID)
}

// Compare orders two claimants by their first claim (name or path), the earlier first.
func Compare(a, b Claimant) int {
	if len(a.Claims) == 0 || len(b.Claims) == 0 {
		return cmp.Compare(len(b.Claims), len(a.Claims))
	}
	return CompareClaims(a, a.Claims[0], b, b.Claims[0])
}

// compareVersions orders two resourceVersions. Invalid ones (of objects that were never
// stored) come last.
func compareVersions(a, b string) int {
	n, err := resourceversion.CompareResourceVersion(a, b)
	if err == nil {
		return n
	}
	_, errA := resourceversion.CompareResourceVersion(a, a)
	_, errB := resourceversion.CompareResourceVersion(b, b)
	switch {
	case errA == nil:
		return -1
	case errB == nil:
		return 1
	default:
		return cmp.Compare(a, b)
	}
}

// Loss is a claim that an earlier object holds.
type Loss struct {
	// Claim is what was lost.
	Claim Claim
	// Holder is the metadata.name of the object that holds it.
	Holder string
}

// Table has the holders of all claims of one tenant.
type Table struct {
	all []Claimant
	// holders has the places of the holders in all.
	holders map[Claim]int
}

// NewTable decides each claim on its own: the earliest object that makes it holds it,
// even if that object lost another claim.
func NewTable(all []Claimant) Table {
	t := Table{all: all, holders: make(map[Claim]int, claims*len(all))}
	for i, h := range all {
		for _, c := range h.Claims {
			if cur, taken := t.holders[c]; !taken || Before(c, h, all[cur]) {
				t.holders[c] = i
			}
		}
	}
	return t
}

// Holder returns the metadata.name of the object that holds c, if one does.
func (t Table) Holder(c Claim) (string, bool) {
	i, taken := t.holders[c]
	if !taken {
		return "", false
	}
	return t.all[i].Name, true
}

// Counts reports whether h counts toward its tenant's limits. An object that lost a
// claim does not count if the loss refuses the write: of simultaneous creations, all
// but one are about to be deleted. An AgentSecret stays stored if others hold its
// variable or file, because both can be derived from its path.
func (t Table) Counts(h Claimant) bool {
	agent := len(h.Claims) > 0 && h.Claims[0].Kind == v1alpha1.ClaimPath
	for _, l := range t.Losses(h) {
		if !agent || l.Claim.Kind == v1alpha1.ClaimPath {
			return false
		}
	}
	return true
}

// Losses returns the claims of h that other objects hold, in h's order.
func (t Table) Losses(h Claimant) []Loss {
	var out []Loss
	for _, c := range h.Claims {
		if cur, taken := t.holders[c]; taken && t.all[cur].UID != h.UID {
			out = append(out, Loss{Claim: c, Holder: t.all[cur].Name})
		}
	}
	return out
}
