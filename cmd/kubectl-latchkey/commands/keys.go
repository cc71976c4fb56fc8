// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package commands

import (
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

func keysOf(f *cli.Factory, output *cli.Output, dryRun string) (*keys.Keys, error) {
	c, _, err := begin(f, output, dryRun)
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
			k, err := keysOf(f, &out, "none")
			if err != nil {
				return err
			}
			all, err := k.List(cmd.Context())
			if err != nil {
				return err
			}
			uncounted := k.Count(cmd.Context(), all)
			if err := showKeys(f, &out, all); err != nil || uncounted == nil {
				return err
			}
			f.Notice("How many objects each seals is not known: %s", cluster.Explain(uncounted))
			return cli.Exit(cli.CodeNo)
		},
	}
	out.AddFlag(cmd.Flags(), "json", "yaml", "name")
	return cmd
}

func showKeys(f *cli.Factory, output *cli.Output, all []keys.Key) error {
	if output.Format != "" {
		ids := make([]string, len(all))
		for i, key := range all {
			ids[i] = key.ID
		}
		return printKeys(f, output, all, ids...)
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
	return output.Table(f.Out, []cli.Column{{Name: "ID"}, {Name: "CREATED"}, {Name: "DOES"}, {Name: "OBJECTS"}}, rows)
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
			k, err := keysOf(f, nil, "none")
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
