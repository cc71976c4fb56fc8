// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"fmt"
	"strings"

	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
)

// several runs a write for one secret after the other, and stops at the first that fails.
// command is how it is called.
func several(f *cli.Factory, command string, items []cluster.Item, write func(cluster.Item) error) error {
	for i, item := range items {
		if err := write(item); err != nil && len(items) > 1 {
			left := namesOf(items[i:])
			again := "To go on: " + command + " " + strings.Join(left, " ") + " -n " + item.Meta().Namespace
			return stopped(f, namesOf(items[:i]), left[0], left[1:], again, err)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// stopped says how far a command came that writes several secrets, and how it goes on. Where
// a part is done, the exit code is 4.
func stopped(f *cli.Factory, done []string, failed string, notTried []string, again string, err error) error {
	f.Notice("done: %s\nfailed: %s\nnot tried: %s\n%s", orNone(done), failed, orNone(notTried), again)
	if len(done) == 0 {
		return err
	}
	return &cli.Error{Code: cli.CodeNo, Err: err}
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

func namesOf(items []cluster.Item) []string {
	var names []string
	for _, i := range items {
		names = append(names, i.Meta().Name)
	}
	return names
}

// dryRunNote is what a result says of a dry run.
func dryRunNote(dryRun string) string {
	if dryRun == "none" {
		return ""
	}
	return fmt.Sprintf(" (%s dry run)", dryRun)
}
