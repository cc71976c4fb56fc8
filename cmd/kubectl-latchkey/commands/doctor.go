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

	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/doctor"
)

// diagnosis is the output for programs.
type diagnosis struct {
	Healthy bool `json:"healthy"`
	// Complete is false where a right was missing for a check.
	Complete bool             `json:"complete"`
	System   []doctor.Finding `json:"system,omitempty"`
	Tenant   []doctor.Finding `json:"tenant,omitempty"`
}

func newDoctor(f *cli.Factory) *cobra.Command {
	var output cli.Output
	var system, tenant bool
	cmd := &cobra.Command{
		Use: "doctor", Short: "Find what is wrong with the installation and with a namespace", Args: cobra.NoArgs,
		Long: "Find what is wrong with the installation and with a namespace, and say what helps. Nothing is changed: what is sent are\n" +
			"two dry runs.\n\n" +
			"✓ is well, ! is worth a look, ✗ is wrong, – cannot be seen without the right that is named. The exit code is 4 where something is\n" +
			"wrong. What is only worth a look, or cannot be seen, leaves it 0.",
		Example: "  kubectl latchkey doctor -n alice\n  kubectl latchkey doctor --system -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := output.Check(); err != nil {
				return err
			}
			d, namespace, err := diagnose(cmd.Context(), f, system || !tenant, tenant || !system)
			if err != nil {
				return err
			}
			if output.Structured() {
				err = output.Data(f.Out, d)
			} else {
				d.show(f, namespace)
			}
			if err == nil && !d.Healthy {
				err = cli.Exit(cli.CodeNo)
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&system, "system", false, "look at the installation alone")
	cmd.Flags().BoolVar(&tenant, "tenant", false, "look at the namespace alone")
	output.AddFlag(cmd.Flags(), "json", "yaml")
	return cmd
}

func diagnose(ctx context.Context, f *cli.Factory, system, tenant bool) (d diagnosis, namespace string, err error) {
	c, namespace, err := cluster.Open(f)
	if err != nil {
		return d, "", err
	}
	progress := f.Progress("looking at")
	defer progress.End()
	r := doctor.NewReader(c, progress.Text)
	if err := r.Reach(ctx); err != nil {
		return d, "", err
	}
	now := time.Now()
	if system {
		d.System = doctor.System(r.System(ctx, f.Version, now))
	}
	if tenant {
		facts, err := r.Tenant(ctx, namespace, now)
		if err != nil {
			return d, "", err
		}
		for _, i := range facts.Items() {
			facts.Places = append(facts.Places, i.Places()...)
		}
		d.Tenant = doctor.Tenant(facts)
	}
	// What a request was given up for is no finding.
	d.Healthy = doctor.Healthy(d.System) && doctor.Healthy(d.Tenant)
	d.Complete = d.count(doctor.Unknown) == 0
	return d, namespace, ctx.Err()
}

// marks are how findings look.
var marks = map[string]struct {
	text   string
	colour color.Attribute
}{
	doctor.OK: {"✓", color.FgGreen}, doctor.Warning: {"!", color.FgYellow}, doctor.Failed: {"✗", color.FgRed}, doctor.Unknown: {"–", color.Faint},
}

func (d diagnosis) show(f *cli.Factory, namespace string) {
	d.part(f, "Installation in namespace "+f.SystemNamespace, d.System)
	if d.System != nil && d.Tenant != nil {
		f.Printf("\n")
	}
	d.part(f, "Namespace "+namespace, d.Tenant)
	var text string
	wrong, unseen := d.count(doctor.Failed), d.count(doctor.Unknown)
	switch {
	case wrong > 0:
		text = f.Paint(color.FgRed, cli.Counted(wrong, "fault")+".")
	case unseen > 0:
		text = f.Paint(color.FgYellow, "Nothing is wrong in what could be seen.")
	default:
		text = f.Paint(color.FgGreen, "Nothing is wrong.")
	}
	if unseen > 0 {
		text += fmt.Sprintf(" %s could not be made, since a right is missing. An administrator of the cluster has all of them: kubectl latchkey doctor -n %s",
			cli.Counted(unseen, "check"), namespace)
	}
	f.Printf("\n%s\n", text)
}

// count returns how many findings have a state.
func (d diagnosis) count(state string) (n int) {
	for _, finding := range slices.Concat(d.System, d.Tenant) {
		if finding.State == state {
			n++
		}
	}
	return n
}

func (d diagnosis) part(f *cli.Factory, title string, found []doctor.Finding) {
	if found == nil {
		return
	}
	f.Printf("%s\n", title)
	for _, finding := range found {
		mark := marks[finding.State]
		f.Printf("  %s %-22s %s\n", f.Paint(mark.colour, mark.text), finding.Check, strings.ReplaceAll(cli.Plain(finding.Text), "\n", "\n"+strings.Repeat(" ", 27)))
		if finding.Fix != "" {
			f.Printf("%s Try: %s\n", strings.Repeat(" ", 26), finding.Fix)
		}
	}
}
