// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package linearizability

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	kube "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/test/framework"
)

// lease is that of the active server.
const lease = "latchkey-server"

// fault is something that happens to the processes.
type fault struct {
	name string
	// holds are how long it lasts; one is picked.
	holds []time.Duration
	// strike brings it about, and returns what ends it.
	strike func(ctx context.Context, s *stage) (heal func(context.Context) error, err error)
}

func nothing(context.Context) error { return nil }

// faults are all that there are. The first ones are those of a short run.
func faults() []fault {
	second := func(n ...float64) (out []time.Duration) {
		for _, s := range n {
			out = append(out, time.Duration(s*float64(time.Second)))
		}
		return out
	}
	return []fault{
		{"active paused", second(5, 14), onActive(pause)},
		{"active killed", second(0.5, 6), onActive(kill)},
		{"active partitioned (bytes vanish)", second(6, 12), onActive(stall)},
		{"API server killed", second(1, 4, 10), killComponent((*framework.Cluster).APIServer, 1)},
		{"hand-over in good order", second(1), handOver(8)},
		{"nothing", second(3), func(context.Context, *stage) (func(context.Context) error, error) { return nothing, nil }},
		{"standby paused", second(5, 14), onStandby(pause)},
		{"standby killed", second(0.5, 6), onStandby(kill)},
		{"active partitioned (connections break)", second(6, 12), onActive(cut)},
		{"standby partitioned (bytes vanish)", second(6, 12), onStandby(stall)},
		{"API server killed twice, etcd compacted", second(1, 4), killComponent((*framework.Cluster).APIServer, 2)},
		{"API server paused", second(2, 8), pauseComponent((*framework.Cluster).APIServer)},
		{"etcd killed", second(1, 5), killComponent((*framework.Cluster).EtcdServer, 1)},
		{"etcd paused", second(2, 8), pauseComponent((*framework.Cluster).EtcdServer)},
		{"watches broken, etcd compacted", second(1), breakWatches},
		{"active paused for a moment, many times", second(1), stutter},
	}
}

type deed func(ctx context.Context, s *stage, r *replica) (heal func(context.Context) error, err error)

// onActive does something to the active server, or to any where none is active.
func onActive(do deed) func(context.Context, *stage) (func(context.Context) error, error) {
	return func(ctx context.Context, s *stage) (func(context.Context) error, error) {
		r, err := s.active(ctx)
		if err != nil {
			return nil, err
		}
		return do(ctx, s, r)
	}
}

func onStandby(do deed) func(context.Context, *stage) (func(context.Context) error, error) {
	return func(ctx context.Context, s *stage) (func(context.Context) error, error) {
		r, err := s.active(ctx)
		if err != nil {
			return nil, err
		}
		others := s.others(r)
		return do(ctx, s, others[s.rng.IntN(len(others))])
	}
}

func pause(_ context.Context, _ *stage, r *replica) (func(context.Context) error, error) {
	return func(context.Context) error { return r.Resume() }, r.Pause()
}

func kill(_ context.Context, _ *stage, r *replica) (func(context.Context) error, error) {
	return func(ctx context.Context) error { return r.Launch(ctx) }, r.Kill()
}

func stall(_ context.Context, _ *stage, r *replica) (func(context.Context) error, error) {
	r.link.Stall()
	return func(context.Context) error { r.link.Mend(); return nil }, nil
}

func cut(_ context.Context, _ *stage, r *replica) (func(context.Context) error, error) {
	r.link.Cut()
	return func(context.Context) error { r.link.Mend(); return nil }, nil
}

// handOver ends the active server in good order, again and again.
func handOver(times int) func(context.Context, *stage) (func(context.Context) error, error) {
	return func(ctx context.Context, s *stage) (func(context.Context) error, error) {
		for range times {
			r, err := s.active(ctx)
			if err != nil {
				return nil, err
			}
			if _, err := r.Stop(); err != nil {
				return nil, err
			}
			if err := r.Start(ctx); err != nil {
				return nil, err
			}
			s.handOvers++
		}
		return nothing, nil
	}
}

// stutter pauses the active server for about as long as a Lease lives, again and again.
func stutter(ctx context.Context, s *stage) (func(context.Context) error, error) {
	for range 4 {
		r, err := s.active(ctx)
		if err != nil {
			return nil, err
		}
		if err := r.Pause(); err != nil {
			return nil, err
		}
		s.hold(time.Second + time.Duration(s.rng.Int64N(int64(4*time.Second))))
		if err := r.Resume(); err != nil {
			return nil, err
		}
		s.hold(time.Second)
	}
	return nothing, nil
}

func breakWatches(ctx context.Context, s *stage) (func(context.Context) error, error) {
	for range 3 {
		if err := s.cluster.Etcd.Compact(ctx); err != nil {
			return nil, err
		}
		for _, r := range s.replicas {
			r.link.Cut()
			r.link.Mend()
		}
		s.hold(time.Second)
	}
	return nothing, nil
}

type find func(*framework.Cluster) (*framework.Component, error)

// killComponent kills the API server or etcd. All times but the last it starts it at once.
func killComponent(which find, times int) func(context.Context, *stage) (func(context.Context) error, error) {
	return func(ctx context.Context, s *stage) (func(context.Context) error, error) {
		c, err := which(s.cluster)
		if err != nil {
			return nil, err
		}
		for n := range times {
			if n > 0 {
				s.hold(time.Second)
				if err := errors.Join(c.Start(ctx), s.cluster.Etcd.Compact(ctx)); err != nil {
					return nil, err
				}
				s.hold(2 * time.Second)
			}
			if err := c.Kill(ctx); err != nil {
				return nil, err
			}
		}
		return c.Start, nil
	}
}

func pauseComponent(which find) func(context.Context, *stage) (func(context.Context) error, error) {
	return func(_ context.Context, s *stage) (func(context.Context) error, error) {
		c, err := which(s.cluster)
		if err != nil {
			return nil, err
		}
		return func(context.Context) error { return c.Resume() }, c.Pause()
	}
}

// active returns the server that holds the Lease, or any where there is no such Lease.
func (s *stage) active(ctx context.Context) (*replica, error) {
	var holder string
	err := until(ctx, 30*time.Second, func(ctx context.Context) error {
		l := &coordinationv1.Lease{}
		err := s.cluster.Client.Get(ctx, kube.ObjectKey{Namespace: framework.SystemNamespace, Name: lease}, l)
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err == nil && (l.Spec.HolderIdentity == nil || *l.Spec.HolderIdentity == "") {
			err = errors.New("nobody is active")
		}
		if err == nil {
			holder = *l.Spec.HolderIdentity
		}
		return err
	})
	if err != nil || holder == "" {
		return s.replicas[s.rng.IntN(len(s.replicas))], err
	}
	for _, r := range s.replicas {
		at, err := r.RESTURL()
		if err != nil {
			return nil, err
		}
		u, err := url.Parse(at)
		if err != nil {
			return nil, err
		}
		if strings.Contains(holder+"/", ":"+u.Port()+"/") {
			return r, nil
		}
	}
	return nil, fmt.Errorf("%q is none of the replicas", holder)
}

func (s *stage) others(r *replica) []*replica {
	var out []*replica
	for _, other := range s.replicas {
		if other != r {
			out = append(out, other)
		}
	}
	return out
}

// hold lets a fault last. Nothing is waited for: time is what the fault is made of.
func (*stage) hold(d time.Duration) { <-time.After(d) }

func shuffled(rng *rand.Rand, all []fault) []fault {
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}
