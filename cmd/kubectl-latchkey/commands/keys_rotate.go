// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/keys"
)

type rotateOptions struct {
	wait    bool
	timeout time.Duration
	dryRun  string
	output  cli.Output
}

func newKeysRotate(f *cli.Factory) *cobra.Command {
	o := &rotateOptions{}
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Ask for a new sealing key now",
		Long: "Ask for a new sealing key now. All objects are sealed with it in the background. Values that may have been seen have to be\n" +
			"changed all the same: a rotation does not revoke what somebody copied.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), f) },
	}
	cmd.Flags().BoolVar(&o.wait, "wait", false, "wait until there is a new key and all objects are sealed with it")
	cmd.Flags().DurationVar(&o.timeout, "timeout", 10*time.Minute, "how long to wait")
	addDryRun(cmd.Flags(), &o.dryRun)
	o.output.AddFlag(cmd.Flags(), "json", "yaml", "name")
	return cmd
}

func (o *rotateOptions) run(ctx context.Context, f *cli.Factory) error {
	k, err := keysOf(f, &o.output, o.dryRun)
	if err != nil {
		return err
	}
	old, err := k.Rotate(ctx, time.Now(), o.dryRun)
	if err != nil {
		return err
	}
	if !o.wait || o.dryRun != "none" {
		if o.output.Format != "" {
			return printKeys(f, &o.output, old, old.ID)
		}
		f.Printf("asked for a successor of key %s%s\n", old.ID, dryRunNote(o.dryRun))
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	progress := f.Progress("waiting for a successor of key " + old.ID)
	id, err := k.Await(ctx, old.ID, progress.Text)
	progress.End()
	if errors.Is(err, context.DeadlineExceeded) {
		return cli.Timeout("key %s has no successor after %s: does the controller run in namespace %s? Try: kubectl latchkey doctor --system", old.ID, o.timeout, f.SystemNamespace)
	}
	if err != nil {
		return err
	}
	if err := o.rotated(ctx, f, k, old.ID, id); err != nil {
		return err
	}
	return awaitResealed(ctx, f, k, id, o.timeout, lookEvery, o.output.Format == "")
}

// rotated says which key seals now.
func (o *rotateOptions) rotated(ctx context.Context, f *cli.Factory, k *keys.Keys, old, id string) error {
	if o.output.Format == "" {
		f.Printf("key %s seals now, key %s opens\n", id, old)
		return nil
	}
	all, err := k.List(ctx)
	if err != nil {
		return err
	}
	n := slices.IndexFunc(all, func(key keys.Key) bool { return key.ID == id })
	if n < 0 {
		return cli.No("key %s was published, and is not there any more. Try: kubectl latchkey keys list", id)
	}
	return printKeys(f, &o.output, all[n], id)
}

// printKeys prints what programs read of keys: data, or the names of their Secrets.
func printKeys(f *cli.Factory, output *cli.Output, data any, ids ...string) error {
	if output.Structured() {
		return output.Data(f.Out, data)
	}
	for _, id := range ids {
		f.Printf("secret/%s\n", keys.SecretName(id))
	}
	return nil
}
