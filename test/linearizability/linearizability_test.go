// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package linearizability

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

const (
	// inShort is how many kinds of faults a run without DURATION plays, the first ones.
	inShort = 4
	// decide is how long porcupine may take for one tenant's history.
	decide = 30 * time.Second
)

// TestServers_UnderFaults_AnswerInOneOrder plays rounds: in each a fault happens to the
// processes, under requests of tenants that are new, so that its history is short enough
// to be judged. The environment says how long and what:
//
//   - DURATION=30m: all kinds of faults in turn for that long. Without it, a few, once.
//   - FAULTS=paused,killed: those whose names contain one of these.
//   - SEED: what is random. It is printed.
//   - ARTIFACTS: a folder for histories that have no order.
func TestServers_UnderFaults_AnswerInOneOrder(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("SEED=%d", seed)
	log.SetLogger(logr.Discard())            // controller-runtime's, which complains otherwise
	rng := rand.New(rand.NewPCG(seed, seed)) //nolint:gosec // it is printed
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if deadline, ok := t.Deadline(); ok { // before go test's own, which would leave the processes behind
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-time.Minute))
		defer cancel()
	}
	s, err := build(ctx, rng, 3)
	if s != nil {
		t.Cleanup(func() { tearDown(t, s) })
	}
	if err != nil {
		t.Fatal(err)
	}
	var results table
	for round, f := range schedule(t, rng) {
		if results.play(ctx, t, s, f, fmt.Sprintf("round-%d", round)); ctx.Err() != nil || t.Failed() && os.Getenv("DURATION") == "" {
			break
		}
	}
	t.Logf("%d hand-overs in good order\n%s", s.handOvers, results)
}

// schedule yields the faults that are to happen.
func schedule(t *testing.T, rng *rand.Rand) func(yield func(int, fault) bool) {
	t.Helper()
	all := faults()
	var duration time.Duration
	if text := os.Getenv("DURATION"); text != "" {
		var err error
		if duration, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	if wanted := os.Getenv("FAULTS"); wanted != "" {
		all = slices.DeleteFunc(all, func(f fault) bool {
			return !slices.ContainsFunc(strings.Split(wanted, ","), func(w string) bool { return strings.Contains(f.name, w) })
		})
	} else if duration == 0 {
		all = all[:inShort]
	}
	if duration == 0 {
		for i := range all {
			all[i].holds = all[i].holds[:1]
		}
	}
	until := time.Now().Add(duration)
	return func(yield func(int, fault) bool) {
		for round := 0; round == 0 || time.Now().Before(until); {
			for _, f := range shuffled(rng, slices.Clone(all)) {
				if round > 0 && duration > 0 && time.Now().After(until) || !yield(round, f) {
					return
				}
				round++
			}
		}
	}
}

// play plays one round and judges it.
func (t *table) play(ctx context.Context, test *testing.T, s *stage, f fault, name string) {
	test.Helper()
	began := time.Now()
	h, at, err := s.play(ctx, f)
	r := t.row(f.name)
	r.count(h, at)
	if err != nil {
		test.Errorf("%s, %s: %v", name, f.name, err)
	}
	for _, text := range h.faulty {
		test.Errorf("%s, %s: no such answer: %s", name, f.name, text)
	}
	judging := time.Now()
	for tenant := range users + environments {
		operations := h.operations(tenant)
		result, info, why := judge(operations, decide)
		switch result {
		case porcupine.Ok:
			continue
		case porcupine.Unknown:
			r.undecided++
			test.Errorf("%s, %s: tenant %d: porcupine cannot tell within %s; at best, %s", name, f.name, tenant, decide, why)
		case porcupine.Illegal:
			r.violations++
			test.Errorf("%s, %s (from %s to %s): tenant %d: %s", name, f.name, at.struck, at.healed, tenant, why)
		}
		file := fmt.Sprintf("%s-tenant-%d", name, tenant)
		if err := h.keep(artifacts(s), file, info); err != nil {
			test.Error(err)
		}
		test.Logf("see %s.html and .json", filepath.Join(artifacts(s), file))
	}
	test.Logf("%s, %s: %d requests in %s, judged in %s", name, f.name, len(h.events),
		judging.Sub(began).Round(time.Millisecond), time.Since(judging).Round(time.Millisecond))
}

func artifacts(s *stage) string {
	if dir := os.Getenv("ARTIFACTS"); dir != "" {
		return dir
	}
	return filepath.Join(s.cluster.Dir, "histories")
}

func tearDown(t *testing.T, s *stage) {
	t.Helper()
	problems, err := s.cluster.Crashes()
	if err != nil {
		t.Error(err)
	}
	for _, p := range problems {
		t.Error(p)
	}
	if t.Failed() {
		t.Logf("logs are kept in %s", s.cluster.Dir)
	}
	if err := s.close(t.Failed()); err != nil {
		t.Error(err)
	}
}
