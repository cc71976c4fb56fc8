// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package aggregation_test

import (
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/latchkey-dev/latchkey/controllers/aggregation"
)

// measured returns what the gauge of an API says; -1 where there is none.
func measured(t *testing.T, name string) float64 {
	t.Helper()
	families, err := metrics.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, series := range family.GetMetric() {
			if family.GetName() == "latchkey_apiservice_unregistered" && series.GetLabel()[0].GetValue() == name {
				return series.GetGauge().GetValue()
			}
		}
	}
	return -1
}

// TestTheNextLeaderCountsWhatIsUnregistered has a leader unregister one API and end; the
// other one was never installed.
func TestTheNextLeaderCountsWhatIsUnregistered(t *testing.T) {
	w := newWorld(t)
	w.delete(apiService(golem, ""))
	w.ready(false)
	w.look()
	w.pass(after)
	w.look()
	aggregation.Unregistered.Reset() // another process begins without
	w.restart()
	w.look()
	w.pass(after)
	w.look()
	if got := measured(t, coder); got != 1 {
		t.Errorf("the gauge of the API that is unregistered says %v, want 1", got)
	}
	if got := measured(t, golem); got == 1 {
		t.Error("an API that was never there counts as unregistered")
	}
	w.ready(true)
	w.look()
	if got := measured(t, coder); got != 0 {
		t.Errorf("the gauge of the API that is back says %v, want 0", got)
	}
}
