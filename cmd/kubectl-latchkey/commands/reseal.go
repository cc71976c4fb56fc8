// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"github.com/spf13/cobra"

	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/sealing"
)

func newReseal(f *cli.Factory) *cobra.Command {
	var check bool
	var keys keySource
	cmd := &cobra.Command{
		Use:   "reseal PATH...",
		Short: "Bring the sealed values in manifests to the newest key",
		Long: "Bring the sealed values in files and folders to the newest key, after a rotation. The cluster opens and seals them, by dry\n" +
			"runs with your rights; nothing is stored there. In the files, the bytes of the values change and no others.\n\n" +
			"What cannot be changed, such as a template, is skipped with a reason, and the exit code is 4. With --check nothing is\n" +
			"changed, and the exit code is 4 where a value is of an older key.",
		Example: "  kubectl latchkey reseal manifests/\n  kubectl latchkey reseal --check --key public-keys.yaml .",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cli.Usage("name a file or a folder")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if keys.offline() && !check {
				return cli.Usage("--key is for --check: only the cluster can seal a value again")
			}
			found, c, err := keys.read(cmd.Context(), f)
			if err != nil {
				return err
			}
			namespace, err := keys.namespace(f)
			if err != nil {
				return err
			}
			r := sealing.Reseal{Paths: args, Check: check, Namespace: namespace, Keys: found, Cluster: sealing.Cluster{Cluster: c}, Out: f.Out}
			return r.Run(cmd.Context())
		},
	}
	keys.addFlag(cmd.Flags())
	cmd.Flags().BoolVar(&check, "check", false, "only say which values are of an older key")
	return cmd
}

func newValidate(f *cli.Factory) *cobra.Command {
	var paths []string
	var server bool
	var keys keySource
	cmd := &cobra.Command{
		Use:   "validate -f PATH...",
		Short: "Check UserSecrets and AgentSecrets in manifests",
		Long: "Check the objects in manifests: their form, their fields by the rules that admission has, the types of values. With --key\n" +
			"it is checked that the keys of sealed values exist, and with --server the cluster is asked by dry runs. The exit code is 4 where\n" +
			"there is a problem. No value is shown.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if len(paths) == 0 {
				return cli.Usage("name a file or a folder with -f")
			}
			if server && keys.offline() {
				return cli.Usage("--server and --key exclude each other")
			}
			v := sealing.Validate{Paths: paths, Namespace: f.ChosenNamespace(), In: f.Input(cmd.Context()), Out: f.Out}
			if server || keys.offline() {
				found, c, err := keys.read(cmd.Context(), f)
				if err != nil {
					return err
				}
				if v.Namespace, err = keys.namespace(f); err != nil {
					return err
				}
				if v.Keys = found; server {
					v.Cluster = sealing.Cluster{Cluster: c}
				}
			}
			progress := f.Progress("looked at")
			defer progress.End()
			v.Said, v.Out = progress.Text, progress.Above(f.Out)
			return v.Run(cmd.Context())
		},
	}
	keys.addFlag(cmd.Flags())
	cmd.Flags().StringSliceVarP(&paths, "filename", "f", nil, "files and folders; - is standard input")
	cmd.Flags().BoolVar(&server, "server", false, "ask the cluster too, by dry runs")
	return cmd
}
