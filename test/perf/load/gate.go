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
	few, err := b.newTenant(ctx, true, small)
	if err != nil {
		return err
	}
	many, err := b.newTenant(ctx, true, large)
	if err != nil {
		return err
	}
	var last counts
	for _, of := range []struct {
		what string
		in   tenant
	}{
		{"change of a user's secret, tenant of 5", user},
		{"change of an agent's secret, tenant of 5", few},
		{"change of an agent's secret, tenant of 500", many},
	} {
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
		if of.in == many {
			b.report.add(of.what+" over tenant of 5: allocations", "", "", cost.allocations/last.allocations)
			b.report.add(of.what+" over tenant of 5: CPU of the controller", "", "shown", cost.cpu/last.cpu)
		}
		last = cost
	}
	if _, err := b.burst(ctx, 10*perTenant); err != nil {
		return err
	}
	if err := b.restart(ctx); err != nil {
		return err
	}
	return b.report.over(o.budget)
}
