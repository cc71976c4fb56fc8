// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Command load measures what secrets cost, on a control plane of its own:
//
//   - load: how fast UserSecrets become Ready, beside a bare client that writes for each of
//     as many objects a custom resource, a Secret and the custom resource's status, which
//     is what an operator costs at least that treats every object by itself; and how long
//     one change takes, in a small tenant and in a large one.
//   - scale: what a large cluster costs in memory, in a restart, and for one change.
//   - gate: counts alone, compared with a budget. It fails where one is above it.
//
// Rounds are interleaved and what is printed are their medians. It is bounded in objects and
// stops by itself.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/latchkey-dev/latchkey/test/framework"
)

// options are what a caller may choose.
type options struct {
	objects, rounds, foreign int
	budget, out              string
}

func main() {
	var o options
	flag.IntVar(&o.objects, "n", 2000, "objects, a multiple of 20 up to 100000")
	flag.IntVar(&o.rounds, "rounds", 3, "rounds, of which the medians are printed")
	flag.IntVar(&o.foreign, "foreign", 50000, "scale: Secrets that are not Latchkey's")
	flag.StringVar(&o.budget, "budget", "", "gate: the file with the budget")
	flag.StringVar(&o.out, "json", "", "a file for the result as JSON")
	flag.Usage = func() {
		_, _ = fmt.Fprintln(flag.CommandLine.Output(), "usage: load [flags] load|scale|gate")
		flag.PrintDefaults()
	}
	flag.Parse()
	modes := map[string]func(context.Context, *bench, options) error{"load": runLoad, "scale": runScale, "gate": runGate}
	mode, ok := modes[flag.Arg(0)]
	if !ok || o.objects < perTenant || o.objects > 100000 || o.objects%perTenant != 0 || o.rounds < 1 {
		flag.Usage()
		os.Exit(2)
	}
	ctrl.SetLogger(logr.Discard())
	if err := run(context.Background(), mode, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is a stack and what was found out about it.
type bench struct {
	*framework.Stack
	report report
	serial int
}

func run(ctx context.Context, mode func(context.Context, *bench, options) error, o options) (err error) {
	cluster, err := framework.Start(ctx, framework.NoAudit)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cluster.Stop(false)) }()
	b := &bench{Stack: &framework.Stack{Cluster: cluster}}
	if b.Controller, err = cluster.Controller("controller", "-v=0", "--leader-elect=false"); err != nil {
		return err
	}
	if b.Server, err = cluster.Server("server", "-v=0"); err != nil {
		return err
	}
	if err := errors.Join(b.Controller.Start(ctx), b.Server.Start(ctx), cluster.AwaitAdmission(ctx)); err != nil {
		return err
	}
	return errors.Join(mode(ctx, b, o), b.report.write(o.out))
}

// namespaces makes namespaces, with names of their own.
func (b *bench) namespaces(ctx context.Context, n int) ([]string, error) {
	names := make([]string, n)
	for i := range names {
		b.serial++
		names[i] = fmt.Sprintf("bench-%d", b.serial)
	}
	return names, each(n, func(i int) error { return b.Client.Create(ctx, framework.Namespace(names[i])) })
}
