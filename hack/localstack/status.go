// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// status lists the processes on record. It changes nothing, and so needs no lock.
func (s *stack) status(context.Context) error {
	ports, err := loadPorts(s.layout.ports())
	if err != nil {
		return err
	}
	names, err := s.Recorded()
	if err != nil {
		return err
	}
	if len(names) == 0 {
		s.Linef("nothing is running")
		return nil
	}
	ordered := stopOrder(names)
	slices.Reverse(ordered)
	table := tabwriter.NewWriter(s.Out, 0, 0, 3, ' ', 0)
	_, _ = fmt.Fprintln(table, "NAME\tSTATE\tPID\tAGE\tPORTS\tLOG")
	for _, name := range ordered {
		r, err := s.Load(name)
		if err != nil {
			return err
		}
		state := "ended"
		if r.Running() {
			state = "running"
		}
		age := s.Now().Sub(r.Started).Round(time.Second)
		_, _ = fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%s\t%s\n",
			name, state, r.PID, age, ports.describe(name), s.relative(s.Log(name)))
	}
	return table.Flush()
}

// describe lists the ports of one process: "client 23790, peer 23800".
func (b *portBook) describe(owner string) string {
	var list []string
	for key, number := range b.numbers {
		if name, purpose, _ := strings.Cut(key, "/"); name == owner {
			list = append(list, purpose+" "+itoa(number))
		}
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}
