// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"
)

// status lists the processes on record and says whether pods can run. It changes nothing, and so needs no lock.
func (n *node) status(ctx context.Context) error {
	names, err := n.Recorded()
	if err != nil {
		return err
	}
	if len(names) == 0 {
		n.Linef("nothing is running")
		return nil
	}
	table := tabwriter.NewWriter(n.Out, 0, 0, 3, ' ', 0)
	_, _ = fmt.Fprintln(table, "NAME\tSTATE\tPID\tAGE\tLOG")
	for _, name := range names {
		r, err := n.Load(name)
		if err != nil {
			return err
		}
		state := "ended"
		if r.Running() {
			state = "running"
		}
		age := n.Now().Sub(r.Started).Round(time.Second)
		_, _ = fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%s\n", name, state, r.PID, age, n.relative(n.Log(name)))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := n.podsCanRun(ctx); err != nil {
		n.Linef("pods cannot run: %v", err)
		return nil
	}
	n.Linef("pods can run: source %s", n.relative(n.dir("env")))
	return nil
}
