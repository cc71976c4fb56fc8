// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"
)

// A ConfigMap has room for a mebibyte.
func TestRecord_Size_IsBounded(t *testing.T) {
	now := time.Date(2026, 1, 2, 12, 0, 0, 123456789, time.UTC)
	r := &Reconciler{Clock: clocktesting.NewFakePassiveClock(now), Options: Options{MinInterval: time.Hour}}
	workload := func(i int) Workload { // with the longest names that there are
		return Workload{Kind: statefulSet, Namespace: fmt.Sprintf("%04d%s", i, strings.Repeat("n", 59)), Name: strings.Repeat("n", 253)}
	}
	for i := range 3 * maxRecorded {
		w, at := workload(i), now.Add(time.Duration(i-3*maxRecorded)*2*time.Second)
		r.memory.restarted(w, at)
		r.places.set(w, place{since: at, used: true})
	}
	entries := r.entries(now)
	text, err := json.Marshal(entries)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != maxRecorded || len(text) > 500_000 {
		t.Errorf("%d restarts in %d bytes are written down, want %d in at most 500000", len(entries), len(text), maxRecorded)
	}
	if got, want := entries[0].Namespace, workload(3*maxRecorded-1).Namespace; got != want {
		t.Errorf("the first one is %s, want the latest, %s", got, want)
	}
	// An hour has 1800 of them.
	if want := 1799; len(r.memory.restarts) != want {
		t.Errorf("%d restarts are kept in memory, want %d", len(r.memory.restarts), want)
	}
}
