// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package revoke says whether the old value of a secret can be revoked, for the command
// line and the page. It asks nothing itself.
package revoke

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/usage"
)

// Answer is what is known of the use of a secret.
type Answer struct {
	// Name is the metadata.name.
	Name string `json:"name"`
	// ChangedAt is when the value last changed.
	ChangedAt *time.Time `json:"changedAt,omitempty"`
	// Uses are the containers that have it, and how.
	Uses []usage.Use `json:"uses"`
	// Summary counts them.
	Summary usage.Summary `json:"summary"`
	// Safe reports whether the old value can be revoked.
	Safe bool `json:"safe"`
	// Unknown says why it is not known when the value changed.
	Unknown string `json:"unknown,omitempty"`
}

// Of works out who has the value of a secret, from the pods of its namespace.
func Of(item cluster.Item, pods []corev1.Pod) Answer {
	a := Answer{Name: item.Meta().Name}
	q := usage.Question{Places: item.Places(), Now: time.Now()}
	status := item.Status()
	switch ready := item.Ready(); {
	case ready == nil:
		a.Unknown = "the controller has not looked at the last change yet"
	case ready.Status != "True":
		a.Unknown = "the last change is not in the bundle: " + ready.Reason
	case status.Value == nil || status.Value.ChangedAt == nil:
		if len(q.Places) > 0 {
			a.Unknown = "the server does not say when the value changed: the secret is not projected now, or Latchkey is of a version before status.value.changedAt"
		}
	default:
		changed := status.Value.ChangedAt.Time
		a.ChangedAt, q.Changed = &changed, changed
	}
	a.Uses = usage.Of(q, pods)
	a.Summary = usage.Summarise(a.Uses)
	a.Safe = a.IsSafe(false)
	return a
}

// IsSafe reports whether the old value can be revoked.
func (a Answer) IsSafe(strict bool) bool { return a.Unknown == "" && a.Summary.Safe(strict) }

// Verdict says whether the old value can be revoked, and why not. Strict counts programs
// that may have read a live directory before the change.
func (a Answer) Verdict(strict bool) string {
	if a.IsSafe(strict) {
		switch a.Summary.Containers {
		case 0:
			return "Safe to revoke the old value: no container uses the secret."
		case 1:
			return "Safe to revoke the old value: the one container that uses the secret does not have it."
		}
		return fmt.Sprintf("Safe to revoke the old value: none of %d containers has it.", a.Summary.Containers)
	}
	var parts []string
	for _, p := range []struct {
		n    int
		what string
	}{
		{a.Summary.Old, "has an older value"}, {a.Summary.Unsure, "may have an older value"}, {a.Summary.Settling, "is getting the new files"},
	} {
		if p.n > 0 {
			what := p.what
			if p.n > 1 {
				what = strings.Replace(strings.Replace(what, "has ", "have ", 1), "is ", "are ", 1)
			}
			parts = append(parts, cli.Counted(p.n, "container")+" "+what)
		}
	}
	if strict && a.Summary.Assumed > 0 {
		parts = append(parts, cli.Counted(a.Summary.Assumed, "container")+" may have read a file before it changed")
	}
	if a.Unknown != "" {
		parts = []string{a.Unknown}
	}
	return "NOT SAFE to revoke: " + strings.Join(parts, ", ") + "."
}

// Remedies are the commands that replace what has an older value, with a namespace that they
// name; "" for one that kubectl takes by itself.
func (a Answer) Remedies(strict bool, namespace string) []string {
	if namespace != "" {
		namespace = " -n " + namespace
	}
	var try []string
	for _, u := range a.Uses {
		if u.State == usage.Current || u.State == usage.Settling || (u.State == usage.Assumed && (u.Fresh || !strict)) {
			continue
		}
		command := "kubectl rollout restart " + u.Workload
		switch kind, _, _ := strings.Cut(u.Workload, "/"); kind {
		case "deploy", "sts", "ds":
		default:
			command = "kubectl delete pod " + u.Pod
		}
		command += namespace
		if !slices.Contains(try, command) {
			try = append(try, command)
		}
	}
	return try
}
