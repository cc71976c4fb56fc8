// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"fmt"
	"iter"
	"slices"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/policy/claim"
	"github.com/latchkey-dev/latchkey/internal/policy/limits"
	"github.com/latchkey-dev/latchkey/internal/policy/rules"
	"github.com/latchkey-dev/latchkey/internal/projector"
)

// Decision is what is known about an object without its value.
type Decision struct {
	// Item is the object.
	Item Item
	// Open reports that the value is needed. Then Outcome is the object's outcome
	// unless its value prevents that; otherwise Outcome is final.
	Open bool
	// Outcome is the object's outcome.
	Outcome Outcome
	// notes describe the targets that cannot be projected.
	notes []note
}

// DecideUser judges the user secrets of one tenant, in the order of their claims.
func DecideUser(items []Item, l limits.User, may *rules.Targets) []Decision {
	return decide(items, l.Check, func(items iter.Seq[*Item]) targets { return userTargets(items, may) })
}

// noVariable is added to the message of an agent secret that is projected as a file
// only.
const noVariable = "; no variable is made from its path: set envName for one"

// DecideAgent judges the agent secrets of one tenant, in the order of their claims.
func DecideAgent(items []Item, l limits.Agent, may *rules.Targets) []Decision {
	out := decide(items, l.Check, func(iter.Seq[*Item]) targets { return agentTargets(may) })
	for i := range out {
		if o := &out[i].Outcome; o.Reason == v1alpha1.ReasonProjected && out[i].Item.Env == "" {
			o.Message += noVariable
		}
	}
	return out
}

// targets returns where an item's value is projected, with notes on what cannot be.
type targets func(*Item) (env, file *v1alpha1.Landing, notes []note)

// note is why a target of an object is not projected.
type note struct{ reason, text string }

// decide judges items. over returns the limit that more use exceeds; layout returns the
// targets of those that lost no claim.
func decide(items []Item, over func(was, is limits.Use) *limits.Excess, layout func(iter.Seq[*Item]) targets) []Decision {
	ordered := make([]*Item, len(items))
	for i := range items {
		ordered[i] = &items[i]
	}
	slices.SortFunc(ordered, func(a, b *Item) int { return claim.Compare(a.Claimant, b.Claimant) })
	claimants := make([]claim.Claimant, len(items))
	for i, it := range ordered {
		claimants[i] = it.Claimant
	}
	table := claim.NewTable(claimants)
	where := layout(func(yield func(*Item) bool) {
		for _, it := range ordered {
			if len(table.Losses(it.Claimant)) == 0 && !yield(it) {
				return
			}
		}
	})

	out := make([]Decision, len(items))
	var use limits.Use
	for i, it := range ordered {
		d := &out[i]
		d.Item = *it
		excess := over(use, use.Add(it.Use))
		if excess == nil && table.Counts(it.Claimant) {
			use = use.Add(it.Use)
		}
		losses := table.Losses(it.Claimant)
		switch {
		case it.PathProblem != "":
			d.Outcome = failed(v1alpha1.ReasonPathNotProjectable, it.PathProblem)
		case it.TypeProblem != "":
			d.Outcome = failed(v1alpha1.ReasonTypeMismatch, "secretType cannot be read: "+it.TypeProblem)
		case len(losses) > 0:
			d.Outcome = conflict(losses)
		case excess != nil:
			d.Outcome = failed(v1alpha1.ReasonLimitExceeded, excess.Error())
		case !it.Enabled:
			d.Outcome = Outcome{Ready: true, Reason: v1alpha1.ReasonDisabled, Message: "stored, and not projected since enabled is false"}
		case it.Sealed == "" && it.Source == nil:
			d.Outcome = Outcome{Ready: true, Reason: v1alpha1.ReasonNoValue, Message: "stored without a value yet"}
		case it.Env == "" && it.File == "":
			d.Outcome = Outcome{Ready: true, Reason: v1alpha1.ReasonStoredWithoutTarget, Message: "stored, and not projected since it names neither a variable nor a file"}
		case it.Source != nil && !it.Approved:
			d.Outcome = sourceNotApproved(*it.Source)
		default:
			env, file, notes := where(it)
			d.Outcome, d.notes = projected(env, file, notes), notes
			d.Open = d.Outcome.Env != nil || d.Outcome.File != nil
		}
	}
	return out
}

// userTargets lays out user secrets. If one file would lie below another, only the one
// with the earlier claim is projected.
func userTargets(items iter.Seq[*Item], may *rules.Targets) targets {
	var files []*Item
	problems := map[string]note{}
	for it := range items {
		if it.File == "" {
			continue
		}
		if n := fileProblem(it.File, may); n.reason != "" {
			problems[it.File] = n
			continue
		}
		files = append(files, it)
	}
	slices.SortFunc(files, func(a, b *Item) int { return CompareFiles(*a, *b) })
	paths := make([]string, len(files))
	for i, it := range files {
		paths[i] = it.File
	}
	for lost, winner := range projector.Conflicts(paths) {
		problems[paths[lost]] = note{v1alpha1.ReasonPathNotProjectable,
			fmt.Sprintf("it cannot be a file beside %s of %s", paths[winner], files[winner].Name)}
	}
	return func(it *Item) (env, file *v1alpha1.Landing, notes []note) {
		env, notes = envTarget(v1alpha1.BundleUserEnv, it.Env, may)
		if n := problems[it.File]; n.reason != "" {
			notes = append(notes, note{n.reason, "file path is not projected: " + n.text})
		} else if it.File != "" {
			file = &v1alpha1.Landing{SecretName: v1alpha1.BundleUserFiles, Key: UserFileKey(it.Claims[0].Value)}
		}
		return env, file, notes
	}
}

// fileProblem returns why a path cannot be a file in any container. Such a path is
// refused before paths are compared, so it blocks no other path.
func fileProblem(path string, may *rules.Targets) note {
	if problem := projector.Projectable(path); problem != "" {
		return note{v1alpha1.ReasonPathNotProjectable, problem}
	}
	if problem := may.File(path); problem != "" {
		return note{v1alpha1.ReasonTargetRefused, problem + ": choose another path, such as one below ~/ or /run"}
	}
	return note{}
}

// CompareFiles orders two items by when they claimed their files, the earlier first.
func CompareFiles(a, b Item) int {
	return claim.CompareClaims(a.Claimant, claim.Claim{Kind: v1alpha1.ClaimFile, Value: a.File}, b.Claimant, claim.Claim{Kind: v1alpha1.ClaimFile, Value: b.File})
}

func agentTargets(may *rules.Targets) targets {
	return func(it *Item) (env, file *v1alpha1.Landing, notes []note) {
		env, notes = envTarget(v1alpha1.BundleAgentEnv, it.Env, may)
		file = &v1alpha1.Landing{SecretName: v1alpha1.BundleAgentFiles, Key: AgentFileKey(it.File)}
		return env, file, notes
	}
}

// envTarget returns where a variable is projected. Its name may be longer than a key of
// a Secret; one such key would make the API server refuse the whole bundle.
func envTarget(secret, name string, may *rules.Targets) (env *v1alpha1.Landing, notes []note) {
	if name == "" {
		return nil, nil
	}
	if len(name) > maxKey {
		return nil, []note{{v1alpha1.ReasonPathNotProjectable,
			fmt.Sprintf("variable is not projected: its name has %d bytes, and a key of a Secret at most %d: set a shorter envName", len(name), maxKey)}}
	}
	if problem := may.Env(name); problem != "" {
		return nil, []note{{v1alpha1.ReasonTargetRefused, "variable is not projected: " + problem + ": set another envName"}}
	}
	return &v1alpha1.Landing{SecretName: secret, Key: name}, nil
}
