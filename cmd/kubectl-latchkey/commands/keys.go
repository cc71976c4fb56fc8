// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/keys"
)

func newKeys(f *cli.Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "List, rotate, back up and restore the sealing keys",
		Long:  "List, rotate, back up and restore the sealing keys. That needs rights on Secrets in Latchkey's own namespace.",
	}
	cmd.AddCommand(newKeysList(f), newKeysRotate(f), newKeysBackup(f), newKeysRestore(f))
	return cmd
}

func keysOf(f *cli.Factory) (*keys.Keys, error) {
	c, err := cluster.New(f)
	if err != nil {
		return nil, err
	}
	return keys.New(c), nil
}

func newKeysList(f *cli.Factory) *cobra.Command {
	var out cli.Output
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the sealing keys, newest first, and how many objects each seals",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := out.Check(); err != nil {
				return err
			}
			k, err := keysOf(f)
			if err != nil {
				return err
			}
			all, err := k.List(cmd.Context(), true)
			if err != nil {
				return err
			}
			if out.Structured() {
				return out.Data(f.Out, all)
			}
			rows := make([][]any, len(all))
			for i, key := range all {
				does, objects := "opens", any("-")
				if key.Seals {
					does = "seals and opens"
				}
				if key.Objects != nil {
					objects = *key.Objects
				}
				rows[i] = []any{key.ID, key.Created.UTC().Format(time.RFC3339), does, objects}
			}
			return out.Table(f.Out, []cli.Column{{Name: "ID"}, {Name: "CREATED"}, {Name: "DOES"}, {Name: "OBJECTS"}}, rows)
		},
	}
	out.AddFlag(cmd.Flags(), "json", "yaml")
	return cmd
}

func newKeysRotate(f *cli.Factory) *cobra.Command {
	var await bool
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Ask for a new sealing key now",
		Long: "Ask for a new sealing key now. All objects are sealed with it in the background. Values that may have been seen have to be\n" +
			"changed all the same: a rotation does not revoke what somebody copied.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			k, err := keysOf(f)
			if err != nil {
				return err
			}
			old, err := k.Rotate(cmd.Context(), time.Now())
			if err != nil {
				return err
			}
			if !await {
				f.Printf("asked for a successor of key %s\n", old)
				return nil
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			progress := f.Progress("waiting for a successor of key " + old)
			id, err := k.Await(ctx, old, progress.Text)
			progress.End()
			if errors.Is(err, context.DeadlineExceeded) {
				return cli.Timeout("key %s has no successor after %s: does the controller run in namespace %s? Try: kubectl latchkey doctor --system", old, timeout, f.SystemNamespace)
			}
			if err != nil {
				return err
			}
			f.Printf("key %s seals now, key %s opens\n", id, old)
			return awaitResealed(ctx, f, k, id, timeout, lookEvery)
		},
	}
	cmd.Flags().BoolVar(&await, "wait", false, "wait until there is a new key and all objects are sealed with it")
	cmd.Flags().DurationVar(&timeout, "timeout", 10*time.Minute, "how long to wait")
	return cmd
}

func newKeysBackup(f *cli.Factory) *cobra.Command {
	var recipients []string
	var file string
	cmd := &cobra.Command{
		Use:   "backup --recipient age1... -O FILE",
		Short: "Write all sealing keys to a file, encrypted by age",
		Long: "Write all sealing keys to a new file, encrypted for recipients of age, which its owner alone can read. Keep it apart from backups\n" +
			"of the objects: with both, the values are plain. After each rotation there is a key more.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if len(recipients) == 0 || file == "" {
				return cli.Usage("--recipient and -O are needed")
			}
			k, err := keysOf(f)
			if err != nil {
				return err
			}
			ids, err := k.Backup(cmd.Context(), recipients, file)
			if err != nil {
				return err
			}
			f.Printf("%s has %s: %s\n", file, cli.Counted(len(ids), "key"), strings.Join(ids, ", "))
			if err := k.MarkBackedUp(cmd.Context(), ids, time.Now()); err != nil {
				f.Notice("The backup is written. That it was made could not be noted on the keys, so doctor does not know of it: %s", cluster.Explain(err))
			}
			return nil
		},
	}
	cmd.Flags().StringArrayVar(&recipients, "recipient", nil, "recipient of age, such as age1...; can be repeated")
	cmd.Flags().StringVarP(&file, "output-file", "O", "", "file to write, which must not exist")
	return cmd
}

func newKeysRestore(f *cli.Factory) *cobra.Command {
	var identity string
	cmd := &cobra.Command{
		Use:   "restore FILE --identity FILE",
		Short: "Store the sealing keys of a backup that are missing",
		Long: "Store the sealing keys of a backup that are missing, and say what can be opened again. Keys that exist stay as they are. If the newest\n" +
			"key comes from the backup, a rotation is asked for: what somebody else may have must not seal.",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return cli.Usage("name one backup")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if identity == "" {
				return cli.Usage("--identity is needed: the file of age with the private half of the recipient")
			}
			backup, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer func() { _ = backup.Close() }()
			identities, err := os.Open(identity) //nolint:gosec // the file that the caller named
			if err != nil {
				return err
			}
			defer func() { _ = identities.Close() }()
			k, err := keysOf(f)
			if err != nil {
				return err
			}
			done, err := k.Restore(cmd.Context(), backup, identities, time.Now())
			for _, id := range done.Created {
				f.Printf("key %s restored\n", id)
			}
			for _, id := range done.Present {
				f.Printf("key %s was there\n", id)
			}
			if err != nil && len(done.Created) > 0 {
				return &cli.Error{Code: cli.CodeNo, Err: cluster.Explain(err)}
			}
			if err != nil {
				return err
			}
			if done.Objects >= 0 {
				f.Printf("%s restored; %s can be opened again\n", cli.Counted(len(done.Created), "key"), cli.Counted(done.Objects, "object"))
			} else {
				f.Printf("%s restored; you may not list the objects, so they are not counted\n", cli.Counted(len(done.Created), "key"))
			}
			if done.Rotate {
				f.Notice("The newest key comes from the backup, so a rotation was asked for.")
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&identity, "identity", "", "file of age with the identity")
	return cmd
}
