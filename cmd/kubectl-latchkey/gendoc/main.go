// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Command gendoc writes the page of the command line, or its manual pages, from the
// commands themselves.
package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/commands"
)

const head = `# Command line

<!-- Generated from the commands by make generate. -->

` + "`kubectl latchkey`" + ` works through the Kubernetes API alone, with your own rights. Values are sealed where it runs: no request and no
log of the API server holds one, and it cannot open what it sealed.

A value comes from a prompt without echo, from piped standard input or from ` + "`--value-file`" + `; never from the command line, which
other users of the machine can read. NAME is the object's name, or else the name by which the REST API knows the secret.

| exit code | |
| --- | --- |
| 0 | done |
| 1 | an error of the cluster, the network or a file |
| 2 | the command line cannot be understood, or means several secrets |
| 3 | refused, and nothing was changed |
| 4 | done, and the answer is no; or done in part: one of several names failed, a file was skipped, or a right was missing to see all of it (` + "`doctor`" + ` names that right, and it is nothing wrong) |
| 5 | what was waited for did not come in time |
| 130 | interrupted |

An error names what is wrong and why, and ends with the command to try next; a missing right is named with who can grant it, and how.
Commands that write secrets or keys take ` + "`--dry-run=client|server`" + ` and ` + "`-o json|yaml|name`" + `.

All commands take the flags of kubectl that lead to a cluster and a namespace, such as ` + "`-n`, `--context` and `--as`" + `;
` + "`--system-namespace`" + ` or ` + "`LATCHKEY_SYSTEM_NAMESPACE`" + ` says where Latchkey is installed, if not in ` + "`latchkey-system`" + `.
`

func main() {
	if len(os.Args) == 3 && os.Args[1] == "--man" {
		if err := manual(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: gendoc FILE | --man FOLDER")
		os.Exit(2)
	}
	var page bytes.Buffer
	page.WriteString(head)
	root := commands.NewRoot(cli.Streams{}, "dev")
	for _, c := range root.Commands() {
		section(&page, c)
	}
	if err := os.WriteFile(os.Args[1], page.Bytes(), 0o644); err != nil { //nolint:gosec // a page of the repository
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// manual writes a manual page for each command into a folder, dated by SOURCE_DATE_EPOCH.
func manual(folder string) error {
	root := commands.NewRoot(cli.Streams{}, "dev")
	root.DisableAutoGenTag = true
	return doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "Latchkey", Manual: "kubectl latchkey"}, folder)
}

// section writes a command and those below it.
func section(page *bytes.Buffer, c *cobra.Command) {
	if c.Name() == "help" || c.Hidden {
		return
	}
	if c.HasAvailableSubCommands() {
		for _, sub := range c.Commands() {
			section(page, sub)
		}
		return
	}
	path := strings.TrimPrefix(c.CommandPath(), "kubectl latchkey ")
	_, _ = fmt.Fprintf(page, "\n## %s\n\n%s.\n\n```\n%s\n```\n", path, c.Short, c.UseLine())
	if c.Long != "" && strings.Contains(c.Long, "\n\n") {
		_, rest, _ := strings.Cut(c.Long, "\n\n")
		_, _ = fmt.Fprintf(page, "\n%s\n", rest)
	}
	if c.Example != "" {
		_, _ = fmt.Fprintf(page, "\n```sh\n%s\n```\n", strings.ReplaceAll(strings.TrimPrefix(c.Example, "  "), "\n  ", "\n"))
	}
	if flags := strings.TrimRight(c.LocalNonPersistentFlags().FlagUsages(), "\n"); flags != "" {
		_, _ = fmt.Fprintf(page, "\n```\n%s\n```\n", flags)
	}
}
