// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"context"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/keys"
)

type restoreOptions struct {
	identity string
	dryRun   string
	output   cli.Output
}

func newKeysRestore(f *cli.Factory) *cobra.Command {
	o := &restoreOptions{}
	cmd := &cobra.Command{
		Use:   "restore FILE --identity FILE",
		Short: "Store the sealing keys of a backup that are missing",
		Long: "Store the sealing keys of a backup that are missing, and say what can be opened again. Keys that exist stay as they are. If the newest\n" +
			"key comes from the backup, a rotation is asked for: what somebody else may have must not seal.",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return cli.Usage("name one backup")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), f, args[0]) },
	}
	cmd.Flags().StringVar(&o.identity, "identity", "", "file of age with the identity")
	addDryRun(cmd.Flags(), &o.dryRun)
	o.output.AddFlag(cmd.Flags(), "json", "yaml", "name")
	return cmd
}

func (o *restoreOptions) run(ctx context.Context, f *cli.Factory, path string) error {
	if o.identity == "" {
		return cli.Usage("--identity is needed: the file of age with the private half of the recipient")
	}
	k, err := keysOf(f, &o.output, o.dryRun)
	if err != nil {
		return err
	}
	backup, err := os.Open(path) //nolint:gosec // the file that the caller named
	if err != nil {
		return err
	}
	defer func() { _ = backup.Close() }()
	identities, err := os.Open(o.identity)
	if err != nil {
		return err
	}
	defer func() { _ = identities.Close() }()
	done, err := k.Restore(ctx, backup, identities, time.Now(), o.dryRun)
	if err != nil && done.Failed == "" {
		return err
	}
	if said := o.show(f, done); said != nil {
		return said
	}
	if err != nil {
		return stopped(f, done.Created, done.Failed, done.NotTried, "Run it again to go on: what is done stays as it is.", cluster.Explain(err))
	}
	if done.Rotate {
		asked := "was asked for"
		if o.dryRun != "none" {
			asked = "would be asked for"
		}
		f.Notice("The newest key comes from the backup, so a rotation %s.", asked)
	}
	if done.Uncounted != nil {
		f.Notice("How many objects can be opened again is not known: %s", cluster.Explain(done.Uncounted))
		return cli.Exit(cli.CodeNo)
	}
	return nil
}

// show says what became of each key.
func (o *restoreOptions) show(f *cli.Factory, done keys.Restored) error {
	if o.output.Format != "" {
		return printKeys(f, &o.output, done, slices.Concat(done.Created, done.Present)...)
	}
	for _, id := range done.Created {
		f.Printf("key %s restored%s\n", id, dryRunNote(o.dryRun))
	}
	for _, id := range done.Present {
		f.Printf("key %s was there\n", id)
	}
	switch restored := cli.Counted(len(done.Created), "key") + " restored"; {
	case done.Failed != "":
	case done.Objects == nil:
		f.Printf("%s%s\n", restored, dryRunNote(o.dryRun))
	default:
		f.Printf("%s; %s can be opened again%s\n", restored, cli.Counted(*done.Objects, "object"), dryRunNote(o.dryRun))
	}
	return nil
}
