// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package planning

import (
	"cmp"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/usage"
	"github.com/latchkey-dev/latchkey/internal/bundle"
)

// agentFiles is where pods find the files of agents.
const agentFiles = "/run/latchkey/agent/"

// found is what pods find: names of secrets by variable and by path, and where each
// secret lies.
type found struct {
	variables, paths map[string]string
	landings         map[id][2]string
	problems         map[id]string
}

// outcomes works out what pods would find, by the rules that the controller has.
func (p *Planner) outcomes(t *tenant, plan *Plan) {
	before, after := p.find(t.before), p.find(t.after)
	for key, o := range t.planned {
		if problem := after.problems[key]; problem != "" {
			o.Why = problem
		}
		t.moved[key] = before.landings[key] != after.landings[key]
	}
	plan.VariablesGained = append(plan.VariablesGained, without(t.namespace, after.variables, before.variables)...)
	plan.VariablesLost = append(plan.VariablesLost, without(t.namespace, before.variables, after.variables)...)
	plan.PathsGained = append(plan.PathsGained, without(t.namespace, after.paths, before.paths)...)
	plan.PathsLost = append(plan.PathsLost, without(t.namespace, before.paths, after.paths)...)
}

func (p *Planner) find(items map[id]cluster.Item) found {
	var users, agents []bundle.Item
	for _, i := range items {
		switch {
		case i.Agent != nil:
			agents = append(agents, bundle.AgentItem(i.Agent))
		case i.User.Annotations[v1alpha1.AnnotationPending] == "":
			users = append(users, bundle.UserItem(i.User, true)) // admission asked about the source
		}
	}
	f := found{variables: map[string]string{}, paths: map[string]string{}, landings: map[id][2]string{}, problems: map[id]string{}}
	f.add("UserSecret", bundle.DecideUser(users, p.Limits.User, nil))
	f.add("AgentSecret", bundle.DecideAgent(agents, p.Limits.Agent, nil))
	return f
}

func (f found) add(kind string, decisions []bundle.Decision) {
	for _, d := range decisions {
		key := id{kind, d.Item.Name}
		if !d.Outcome.Ready {
			f.problems[key] = "would be stored, with " + d.Outcome.Reason + ": " + d.Outcome.Message
		}
		if !d.Open {
			continue
		}
		var landing [2]string
		if d.Outcome.Env != nil {
			landing[0] = d.Outcome.Env.Key
			f.variables[landing[0]] = d.Item.Name
		}
		if d.Outcome.File != nil {
			landing[1] = d.Item.File
			if kind == "AgentSecret" {
				landing[1] = agentFiles + d.Outcome.File.Key
			}
			f.paths[landing[1]] = d.Item.Name
		}
		f.landings[key] = landing
	}
}

// without returns the targets of a that b does not have, in order.
func without(namespace string, a, b map[string]string) []Target {
	var out []Target
	for _, name := range slices.Sorted(maps.Keys(a)) {
		if _, has := b[name]; !has {
			out = append(out, Target{Namespace: namespace, Name: name, Secret: a[name]})
		}
	}
	return out
}

// affects reports whether the content of the bundles changes, for certain or perhaps.
func (t *tenant) affects() (certain, perhaps bool) {
	for key, o := range t.planned {
		switch {
		case t.moved[key], o.Value == valueChanged, slices.Contains(o.Fields, "valueFrom"):
			certain = true
		case o.Value == valueSet:
			perhaps = true
		}
	}
	return certain, perhaps
}

// olds returns the containers that keep what they have of a secret which changes, less
// those of workloads that are restarted.
func (t *tenant) olds(pods []corev1.Pod, restarted []string) []Old {
	var olds []Old
	now := time.Now()
	for key, o := range t.planned {
		before, present := t.before[key]
		if !present || !t.moved[key] && o.Value != valueChanged && o.Value != valueSet && !slices.Contains(o.Fields, "valueFrom") {
			continue
		}
		for _, use := range usage.Of(usage.Question{Places: before.Places(), Changed: now, Now: now}, pods) {
			if (use.State == usage.Old || use.State == usage.Unsure) && !slices.Contains(restarted, use.Workload) {
				olds = append(olds, Old{Namespace: t.namespace, Secret: key.name, Use: use})
			}
		}
	}
	slices.SortStableFunc(olds, func(a, b Old) int {
		return cmp.Or(cmp.Compare(a.Secret, b.Secret), cmp.Compare(a.Workload, b.Workload), cmp.Compare(a.Pod, b.Pod), cmp.Compare(a.Container, b.Container))
	})
	return olds
}
