// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fatih/color"
	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"

	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/usage"
	"github.com/latchkey-dev/latchkey/internal/bundle"
)

func newUsage(f *cli.Factory) *cobra.Command {
	var output cli.Output
	var which kinds
	var exitCode bool
	cmd := &cobra.Command{
		Use: "usage NAME", Short: "Say which containers have a secret, and whether its old value can be revoked", Args: names(1, 1),
		Example: "  kubectl latchkey usage github-token",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := output.Check(); err != nil {
				return err
			}
			c, items, err := findAll(cmd, f, &which, "none", args)
			if err != nil {
				return err
			}
			pods, err := c.Pods(cmd.Context(), items[0].Meta().Namespace)
			if err != nil {
				return err
			}
			answer := answerOf(items[0], pods)
			if output.Structured() {
				if err := output.Data(f.Out, answer); err != nil {
					return err
				}
			} else if err := answer.show(f); err != nil {
				return err
			}
			if exitCode && !answer.Safe {
				return cli.Exit(cli.CodeNo)
			}
			return nil
		},
	}
	which.addFlag(cmd.Flags())
	cmd.Flags().BoolVar(&exitCode, "exit-code", false, "end with 4 where it is not safe to revoke the old value")
	output.AddFlag(cmd.Flags(), "json", "yaml")
	return cmd
}

// answer is what is known of the use of a secret.
type answer struct {
	Name      string        `json:"name"`
	ChangedAt *time.Time    `json:"changedAt,omitempty"`
	Uses      []usage.Use   `json:"uses"`
	Summary   usage.Summary `json:"summary"`
	Safe      bool          `json:"safe"`
	// Unknown says why it is not known when the value changed.
	Unknown string `json:"unknown,omitempty"`
}

func answerOf(item cluster.Item, pods []corev1.Pod) answer {
	a := answer{Name: item.Meta().Name}
	q := usage.Question{Places: placesOf(item), Now: time.Now()}
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
	a.Safe = a.Unknown == "" && a.Summary.Safe(false)
	return a
}

// placesOf returns where the value lies, or would lie if it were projected: what is taken
// out of the bundles stays in containers.
func placesOf(item cluster.Item) []usage.Place {
	var places []usage.Place
	add := func(secret, key string) {
		if key != "" && !slices.Contains(places, usage.Place{Secret: secret, Key: key}) {
			places = append(places, usage.Place{Secret: secret, Key: key})
		}
	}
	if l := item.Status().Env; l != nil {
		add(l.SecretName, l.Key)
	}
	if l := item.Status().File; l != nil {
		add(l.SecretName, l.Key)
	}
	if item.User != nil {
		add("latchkey-user-env", item.User.Spec.EnvName)
		if item.User.Spec.FilePath != "" {
			add("latchkey-user-files", bundle.UserFileKey(item.User.SecretName()))
		}
		return places
	}
	add("latchkey-agent-files", bundle.TreeKey) // the document has every value
	return places
}

func (a answer) show(f *cli.Factory) error {
	switch {
	case a.Unknown != "":
		f.Printf("changed: not known, %s\n", a.Unknown)
	case a.ChangedAt != nil:
		f.Printf("changed %s ago\n", age(*a.ChangedAt))
	default:
		f.Printf("not projected into pods\n")
	}
	if len(a.Uses) > 0 {
		var rows [][]any
		for _, u := range a.Uses {
			since := ""
			if u.Since != nil {
				since = age(*u.Since)
			}
			rows = append(rows, []any{u.Workload, u.Pod, u.Container, u.As, u.State, since})
		}
		columns := []cli.Column{{Name: "Workload"}, {Name: "Pod"}, {Name: "Container"}, {Name: "As"}, {Name: "State"}, {Name: "Since"}}
		if err := (&cli.Output{}).Table(f.Out, columns, rows); err != nil {
			return err
		}
	}
	f.Printf("%s\n", a.verdict(f, false))
	f.Printf("Not visible: copies made by programs, `run`, REST readers.\n")
	return nil
}

// verdict says whether the old value can be revoked, and what helps where it cannot.
func (a answer) verdict(f *cli.Factory, strict bool) string {
	if a.Unknown == "" && a.Summary.Safe(strict) {
		return f.Paint(color.FgGreen, fmt.Sprintf("Safe to revoke the old value: none of %s has it.", counted(a.Summary.Containers, "container")))
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
			parts = append(parts, counted(p.n, "container")+" "+what)
		}
	}
	if strict && a.Summary.Assumed > 0 {
		parts = append(parts, counted(a.Summary.Assumed, "container")+" may have read a file before it changed")
	}
	if a.Unknown != "" {
		parts = []string{a.Unknown}
	}
	text := f.Paint(color.FgRed, "NOT SAFE to revoke: "+strings.Join(parts, ", ")+".")
	if try := a.remedies(strict); len(try) > 0 {
		text += " Try: " + strings.Join(try, "; ")
	}
	return text
}

// remedies are the commands that replace what has an older value.
func (a answer) remedies(strict bool) []string {
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
		if !slices.Contains(try, command) {
			try = append(try, command)
		}
	}
	return try
}

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// sayOld says after a change how many containers still have the value of before.
func sayOld(ctx context.Context, f *cli.Factory, c *cluster.Cluster, item cluster.Item) {
	pods, err := c.Pods(ctx, item.Meta().Namespace)
	if err != nil {
		f.Notice("How many containers still have the old value is not known: %s", err)
		return
	}
	now := time.Now()
	s := usage.Summarise(usage.Of(usage.Question{Places: placesOf(item), Changed: now, Now: now}, pods))
	if n := s.Old + s.Unsure; n > 0 {
		f.Notice("%s may still have the old value. See: kubectl latchkey usage %s -n %s", counted(n, "container"), item.Meta().Name, item.Meta().Namespace)
	}
}
