// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"fmt"
	"testing"
	"time"
)

func TestPace_OneTenantAsksForMuch_OthersGoAtOnce(t *testing.T) {
	p, now := &pace{}, time.Unix(1000, 0)
	of := func(namespace string, i int) Workload {
		return Workload{Kind: deployment, Namespace: namespace, Name: fmt.Sprint(i)}
	}
	for i := range burst {
		if wait := p.wait(of("greedy", i), now); wait != 0 {
			t.Fatalf("workload %d waits for %s, want 0", i, wait)
		}
	}
	for i := range 20 {
		want := time.Duration(i+1) * time.Second / perTenant
		w := of("greedy", burst+i)
		for range 2 { // to ask again changes nothing
			if wait := p.wait(w, now); wait.Round(time.Millisecond) != want {
				t.Errorf("workload %d above the burst waits for %s, want %s", i+1, wait, want)
			}
		}
	}
	if wait := p.wait(of("other", 0), now); wait != 0 {
		t.Errorf("another tenant waits for %s, want 0", wait)
	}
	now = now.Add(time.Second)
	for i := range perTenant {
		if wait := p.wait(of("greedy", burst+i), now); wait != 0 {
			t.Errorf("after a second, workload %d waits for %s, want 0", i+1, wait)
		}
	}
	p.forget(of("greedy", burst+perTenant))
	if want := 20 - perTenant - 1; len(p.booked) != want {
		t.Errorf("%d workloads are booked, want %d", len(p.booked), want)
	}
}

func TestPace_ManyTenants_ThoseAtRestAreForgotten(t *testing.T) {
	p, now := &pace{}, time.Unix(1000, 0)
	for i := range 10 * sweepAt {
		p.wait(Workload{Namespace: fmt.Sprint(i)}, now)
		now = now.Add(time.Second)
	}
	if len(p.tenants) > sweepAt {
		t.Errorf("%d tenants are remembered, want at most %d", len(p.tenants), sweepAt)
	}
}
