// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
)

const typed = "hunter-2-typed"

// everyCommand returns the words of every command, groups of commands too.
func everyCommand(c *cobra.Command) [][]string {
	var all [][]string
	for _, below := range c.Commands() {
		if below.Hidden || below.Name() == "help" {
			continue
		}
		all = append(all, strings.Fields(below.CommandPath())[2:])
		all = append(all, everyCommand(below)...)
	}
	return all
}

func TestCommands_GivenAValueAsAnArgument_RefuseItWithoutRepeatingIt(t *testing.T) {
	all := append(everyCommand(NewRoot(cli.Streams{}, "dev")), []string{})
	if len(all) < 30 {
		t.Fatalf("only %d commands were found: %v", len(all), all)
	}
	// These take files, or the command line of another program.
	files := []string{"reseal", "keys restore", "run"}
	for _, words := range all {
		command := strings.Join(words, " ")
		for form, args := range map[string][]string{
			"NAME=VALUE":         {"token=" + typed},
			"NAME VALUE":         {"token", typed, typed},
			"--value VALUE":      {"--value", typed},
			"--value=VALUE":      {"--value=" + typed},
			"-VALUE":             {"-" + typed},
			"a flag of a number": {"--v=" + typed},
		} {
			if slices.Contains(files, command) && !strings.HasPrefix(form, "-") {
				continue
			}
			if slices.Contains([]string{"enable", "disable", "delete"}, command) && form == "NAME VALUE" {
				continue // these take names
			}
			t.Run(command+" "+form, func(t *testing.T) {
				var said bytes.Buffer
				code := Run(t.Context(), cli.Streams{IOStreams: genericiooptions.IOStreams{In: &bytes.Buffer{}, Out: &said, ErrOut: &said}}, "dev", slices.Concat(words, args))
				if code != cli.CodeUsage {
					t.Errorf("the exit code is %d: %s", code, said.String())
				}
				if strings.Contains(said.String(), typed) {
					t.Errorf("it repeats what was typed: %s", said.String())
				}
			})
		}
	}
}
