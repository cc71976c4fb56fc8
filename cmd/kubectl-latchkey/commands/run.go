// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"context"
	"errors"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/process"
)

type runner struct {
	envOnly, user, agent bool
}

func newRun(f *cli.Factory) *cobra.Command {
	o := &runner{}
	cmd := &cobra.Command{
		Use: "run [--env-only] [--user|--agent] -- CMD [ARGS…]", Short: "Run a command on this machine with the secrets of the namespace",
		Long: "Run a command on this machine with the secrets of the namespace.\n\n" +
			"They are variables of that command, and win over variables of the same name that are there. Files are where\n" +
			"`LATCHKEY_FILES` says, named as in pods below `/run/latchkey`: `$LATCHKEY_FILES/user/NAME` and `$LATCHKEY_FILES/agent/NAME`,\n" +
			"whatever path pods have them at; nothing is written into your home or any other directory. They lie in memory\n" +
			"(`XDG_RUNTIME_DIR` or `/dev/shm`, which the system may swap out), only you can read them, and they go when the command\n" +
			"ends. Where there is no file system in memory, as on macOS and Windows, a namespace with files needs `--env-only`.\n\n" +
			"The exit code is the command's, 128 and the signal's number if a signal ended it, 127 if it was not found, or 126 if it\n" +
			"could not be started. Signals and the terminal pass through. What the command prints is not masked. A variable that\n" +
			"makes programs run code, such as `LD_PRELOAD`, is left out. Values are as of the start.\n\n" +
			"It takes the right to get the Secrets `latchkey-user-env` and `latchkey-user-files` of the namespace, and the same of `latchkey-agent-`.",
		Example: "  kubectl latchkey run -- make deploy\n  kubectl latchkey run --agent -- sh -c 'jq . $LATCHKEY_FILES/agent/secrets.json'",
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case cmd.ArgsLenAtDash() != 0 || len(args) == 0:
				return cli.Usage("the command comes after two dashes: %s [flags] -- CMD [ARGS…]", cmd.CommandPath())
			case strings.Contains(args[0], "="):
				return cli.Usage("a command has no =. To set a variable that is no secret: -- env NAME=VALUE CMD")
			case o.user && o.agent:
				return cli.Usage("--user and --agent exclude each other; without either, the command has both")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), f, args) },
	}
	cmd.Flags().BoolVar(&o.envOnly, "env-only", false, "variables alone, no files")
	cmd.Flags().BoolVar(&o.user, "user", false, "the secrets of users alone")
	cmd.Flags().BoolVar(&o.agent, "agent", false, "the secrets of agents alone")
	return cmd
}

// bundles is what the command gets.
type bundles struct {
	env   []map[string][]byte
	files map[string]map[string][]byte
}

func (b bundles) empty() bool {
	for _, env := range b.env {
		if len(env) > 0 {
			return false
		}
	}
	return len(b.files) == 0
}

// read gets the bundles. A right that is missing is said for all that are asked for.
func (o *runner) read(ctx context.Context, c *cluster.Cluster, namespace string) (bundles, error) {
	b, asked, err := o.get(ctx, c, namespace)
	if right, is := cluster.Denied(err); is {
		right.Names = asked
		return bundles{}, cluster.Lacking(err, right)
	}
	return b, err
}

// get returns the names of the bundles too.
func (o *runner) get(ctx context.Context, c *cluster.Cluster, namespace string) (b bundles, asked []string, failure error) {
	b.files = map[string]map[string][]byte{}
	bundle := func(name string) map[string][]byte {
		asked = append(asked, name)
		if failure != nil {
			return nil
		}
		found, err := c.Bundle(ctx, namespace, name)
		failure = err
		return found
	}
	// Of a variable that both have, pods have the user's.
	for _, side := range []struct {
		name, env, files string
		without          bool
	}{
		{"agent", v1alpha1.BundleAgentEnv, v1alpha1.BundleAgentFiles, o.user},
		{"user", v1alpha1.BundleUserEnv, v1alpha1.BundleUserFiles, o.agent},
	} {
		if side.without {
			continue
		}
		b.env = append(b.env, bundle(side.env))
		if o.envOnly {
			continue
		}
		if files := bundle(side.files); len(files) > 0 {
			b.files[side.name] = files
		}
	}
	return b, asked, failure
}

func (o *runner) run(ctx context.Context, f *cli.Factory, argv []string) error {
	c, err := cluster.New(f)
	if err != nil {
		return err
	}
	namespace, _, err := f.Namespace()
	if err != nil {
		return err
	}
	content, err := o.read(ctx, c, namespace)
	if err != nil {
		return err
	}
	if content.empty() {
		f.Notice("Namespace %s has no secrets that are projected.", namespace)
	}
	relay := process.NewRelay()
	defer relay.Stop()
	folder := ""
	if len(content.files) > 0 {
		files, err := process.NewFiles(content.files)
		if errors.Is(err, process.ErrNoMemory) {
			return cli.Refused("%w; --env-only does without them", err)
		}
		if err != nil {
			return err
		}
		defer func() {
			if err := files.Remove(); err != nil {
				f.Notice("The files of the command could not be removed: %s", err)
			}
		}()
		folder = files.Path
	}
	env, left := process.Environment(os.Environ(), folder, content.env...)
	for _, reason := range left {
		f.Notice("%s", reason)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	code, err := relay.Run(argv, env)
	var start *process.StartError
	switch {
	case errors.As(err, &start):
		return &cli.Error{Code: start.Code, Err: err}
	case err != nil:
		return err
	case code != 0:
		return cli.Exit(code)
	}
	return nil
}
