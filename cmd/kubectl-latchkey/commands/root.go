// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package commands holds the commands, a file for each. A command is a function that
// takes the Factory and returns a cobra.Command; newRoot lists them all. It reports
// errors with exit codes (package cli), results on Out and everything else on ErrOut.
package commands

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
)

// Run runs the command line and returns its exit code.
func Run(ctx context.Context, streams cli.Streams, version string, args []string) int {
	root := NewRoot(streams, version)
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	err = cluster.Explain(err)
	var known *cli.Error
	if errors.As(err, &known) && known.Err == nil {
		return known.Code // also after an interrupt: it was done
	}
	if err != nil && ctx.Err() != nil {
		return cli.CodeInterrupted
	}
	if err != nil {
		streams.Notice("error: %s", withNext(err, cmd))
	}
	return cli.CodeOf(err)
}

// withNext returns the text of an error. What does not say itself what to do next points to
// the command's help.
func withNext(err error, cmd *cobra.Command) string {
	text := err.Error()
	if strings.Contains(text, "Try: ") || strings.Contains(text, "kubectl ") {
		return text
	}
	separator := ". "
	if strings.Contains(text, "\n") {
		separator = "\n"
	}
	return text + separator + "See " + cmd.CommandPath() + " --help"
}

// NewRoot returns all commands.
func NewRoot(streams cli.Streams, version string) *cobra.Command {
	root := &cobra.Command{
		Use:           "kubectl-latchkey",
		Short:         "Secrets of users and agents, sealed at rest and found in pods",
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl latchkey"},
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noSuchCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	f := cli.NewFactory(streams, version, root.PersistentFlags())
	root.SetIn(streams.In)
	root.SetOut(streams.Out)
	root.SetErr(streams.ErrOut)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return flagError(err) })
	root.AddCommand(
		newSet(f),
		newList(f),
		newEnable(f, true),
		newEnable(f, false),
		newDelete(f),
		newDescribe(f),
		newUsage(f),
		newWait(f),
		newImport(f),
		newSeal(f),
		newReseal(f),
		newValidate(f),
		newPlan(f),
		newAgent(f),
		newRun(f),
		newKeys(f),
		newDoctor(f),
		newWhoami(f),
		newCanI(f),
		newUI(f),
		newVersion(f),
	)
	addCompletion(root)
	guard(root)
	return root
}

// addCompletion adds the command that cobra makes, before it would itself, with the words
// of this program.
func addCompletion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.Name() != "completion" {
			continue
		}
		c.Short = "Write a script that completes commands and flags in a shell"
		for _, shell := range c.Commands() {
			shell.Short = "Write a script that completes commands and flags in " + shell.Name()
			shell.Long = shell.Short + ".\n\nThe script is for `kubectl-latchkey`. For `kubectl latchkey`, kubectl asks a program of the name `kubectl_complete-latchkey` in PATH:\n" +
				"`#!/bin/sh` in its first line and `exec kubectl-latchkey __complete \"$@\"` in its second."
			shell.Example = map[string]string{
				"bash": "  source <(kubectl-latchkey completion bash)", "zsh": "  source <(kubectl-latchkey completion zsh)",
				"fish": "  kubectl-latchkey completion fish | source", "powershell": "  kubectl-latchkey completion powershell | Out-String | Invoke-Expression",
			}[shell.Name()]
		}
	}
}

// guard has every command refuse arguments with code 2, and without repeating them: one of
// them may be a value that somebody tried to pass.
func guard(cmd *cobra.Command) {
	cmd.SuggestionsMinimumDistance = 2
	for _, below := range cmd.Commands() {
		guard(below)
	}
	if cmd.HasSubCommands() && cmd.HasParent() {
		cmd.Args, cmd.RunE = noSuchCommand, func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		return
	}
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			err := check(cmd, args)
			var known *cli.Error
			if err == nil || errors.As(err, &known) {
				return err
			}
			return cli.Usage("%s does not take these arguments", cmd.Name())
		}
	}
}

func noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return unknownCommand(cmd, args[0])
	}
	return nil
}

// flagError says what is wrong with a flag, without what was given for it: that may be a
// secret which somebody tried to pass.
func flagError(err error) error {
	var invalid *pflag.InvalidValueError
	var missing *pflag.ValueRequiredError
	var unknown *pflag.NotExistError
	switch {
	case errors.As(err, &invalid):
		return cli.Usage("--%s does not take this value, its type is %s", invalid.GetFlag().Name, invalid.GetFlag().Value.Type())
	case errors.As(err, &missing):
		return cli.Usage("--%s needs a value", missing.GetFlag().Name)
	case errors.As(err, &unknown) && unknown.GetSpecifiedName() == "value":
		return cli.Usage("there is no --value, since others could read it: pipe the value to standard input, or use --value-file")
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() == "":
		return cli.Usage("there is no flag --%s", unknown.GetSpecifiedName())
	}
	return cli.Usage("there is no such flag")
}

// unknownCommand does not repeat what it does not know, but for the names that may be meant.
func unknownCommand(cmd *cobra.Command, name string) error {
	if near := cmd.SuggestionsFor(name); len(near) > 0 {
		return cli.Usage("there is no such command, did you mean %s? See %s --help", strings.Join(near, " or "), cmd.CommandPath())
	}
	return cli.Usage("there is no such command")
}

// names takes at least least and at most most names of secrets; most 0 is any number. A
// NAME=VALUE is refused without being repeated.
func names(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		for _, a := range args {
			if strings.Contains(a, "=") {
				return cli.Usage("a name has no =: a value is not given on the command line, where others can read it; " +
					"pipe it to standard input, or use --value-file")
			}
		}
		switch {
		case len(args) < least:
			return cli.Usage("NAME is missing")
		case most > 0 && len(args) > most:
			return cli.Usage("too many arguments: %s takes %d", cmd.Name(), most)
		}
		return nil
	}
}
