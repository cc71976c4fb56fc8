// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import "context"

// runGate counts what a change, a burst and a restart cost, and compares it with the
// budget. Times are not in it: they depend on the machine.
func runGate(ctx context.Context, b *bench, o options) error {
	user, err := b.newTenant(ctx, false, small)
	if err != nil {
		return err
	}
	agents, err := b.newTenant(ctx, true, large)
	if err != nil {
		return err
	}
	for _, of := range []struct {
		what string
		in   tenant
	}{{"change of a user's secret, tenant of 5", user}, {"change of an agent's secret, tenant of 500", agents}} {
		took, cost, err := b.change(ctx, of.in, changes)
		if err != nil {
			return err
		}
		b.report.add(of.what+": values opened", "", "", cost.opened)
		b.report.add(of.what+": bundle writes", "", "", cost.bundles)
		b.report.add(of.what+": writing requests", "", "", cost.writes)
		b.report.add(of.what+": reading requests", "", "", cost.reads)
		b.report.add(of.what+": allocations", "", "", cost.allocations)
		b.report.add(of.what+": time, p50", "ms", "shown", percentile(took, 50))
	}
	if _, err := b.burst(ctx, 10*perTenant); err != nil {
		return err
	}
	if err := b.restart(ctx); err != nil {
		return err
	}
	return b.report.over(o.budget)
}
