// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package linearizability

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"k8s.io/client-go/rest"

	"github.com/latchkey-dev/latchkey/test/conformance"
	"github.com/latchkey-dev/latchkey/test/framework"
)

const (
	users, environments = 3, 3
	// patienceWithFaults is how long the faces may take to be back after a fault.
	patienceWithFaults = 2 * time.Minute
)

// replica is a server with a way to the API server of its own.
type replica struct {
	*framework.Process

	link *framework.Link
}

// stage is what faults happen to.
type stage struct {
	cluster   *framework.Cluster
	replicas  []*replica
	direct    []conformance.Face // of the replicas
	through   conformance.Face   // the API server
	tenants   conformance.Tenants
	rng       *rand.Rand
	rounds    int
	handOvers int
}

// build starts a cluster with some replicas of the server. The caller stops it, also
// after an error that comes with a stage.
func build(ctx context.Context, rng *rand.Rand, replicas int) (*stage, error) {
	cluster, err := framework.Start(ctx)
	if err != nil {
		return nil, err
	}
	s := &stage{cluster: cluster, rng: rng, tenants: conformance.Tenants{Admin: cluster.Client}}
	controller, err := cluster.Controller("controller", "-v=1")
	if err != nil {
		return s, err
	}
	if err := controller.Launch(ctx); err != nil {
		return s, err
	}
	for n := range replicas {
		link, err := cluster.Link(ctx, "server")
		if err != nil {
			return s, err
		}
		server, err := cluster.Server(fmt.Sprintf("server-%d", n), "--kubeconfig="+link.Kubeconfig, "--shutdown-delay=500ms", "-v=1")
		if err != nil {
			return s, err
		}
		s.replicas = append(s.replicas, &replica{Process: server, link: link})
		if err := server.Launch(ctx); err != nil {
			return s, err
		}
	}
	for _, p := range s.replicas {
		err = errors.Join(err, p.AwaitReady(ctx))
	}
	if err := errors.Join(err, controller.AwaitReady(ctx), cluster.AwaitAdmission(ctx), s.tenants.Prepare(ctx)); err != nil {
		return s, err
	}
	err = s.findFaces(ctx)
	return s, err
}

func (s *stage) findFaces(ctx context.Context) error {
	ca, err := s.cluster.RESTAuthority(ctx)
	if err != nil {
		return err
	}
	for _, r := range s.replicas {
		at, err := r.RESTURL()
		if err != nil {
			return err
		}
		f, err := conformance.Direct(at, ca)
		if err != nil {
			return err
		}
		f.Name = r.Name()
		s.direct = append(s.direct, f)
	}
	if err := rest.LoadTLSFiles(s.cluster.Config); err != nil {
		return err
	}
	s.through, err = conformance.Aggregated(s.cluster.Config.Host, s.cluster.Config.CAData)
	return err
}

// close ends everything.
func (s *stage) close(keepLogs bool) error {
	var errs []error
	for _, r := range s.replicas {
		if r.Running() {
			errs = append(errs, r.Resume())
		}
	}
	errs = append(errs, s.cluster.Stop(keepLogs))
	for _, r := range s.replicas {
		errs = append(errs, r.link.Close())
	}
	return errors.Join(errs...)
}

// faces are where each tenant has a client.
func (s *stage) faces() []conformance.Face {
	return slices.Concat(s.direct, []conformance.Face{s.through})
}

// clients makes new tenants without secrets, and a client of each at every face.
func (s *stage) clients(ctx context.Context, h *history) ([]*client, error) {
	s.rounds++
	var out []*client
	for n := range users + environments {
		name := fmt.Sprintf("round-%d-%d", s.rounds, n)
		var me conformance.Account
		var d dialect = coder{}
		var err error
		if n < users {
			me, err = s.tenants.NewUser(ctx, name)
		} else {
			if me, err = s.tenants.NewEnvironment(ctx, name); err == nil {
				err = s.tenants.GrantEditor(ctx, me)
			}
			d = golem{environment: me.ID, known: &known{}}
		}
		if err != nil {
			return nil, err
		}
		for _, f := range s.faces() {
			own := *f.Client
			own.Timeout = patience
			f.Client = &own
			out = append(out, &client{
				tenant: n, number: len(out), face: f, token: me.Token, dialect: d, history: h,
				rng: rand.New(rand.NewPCG(s.rng.Uint64(), s.rng.Uint64())), //nolint:gosec // a seed is printed, not kept secret
			})
		}
	}
	// Rights and labels reach the servers through watches; that is not what is tested.
	settling := &history{began: h.began}
	return out, until(ctx, patienceWithFaults, func(ctx context.Context) error {
		for _, c := range out {
			probe := *c
			probe.history = settling
			if e := probe.send(ctx, request{Verb: list}); e.Answer.Status != 200 {
				return fmt.Errorf("client %d at %s: %d", c.number, c.face.Name, e.Code)
			}
		}
		return nil
	})
}

// play lets all clients send requests while a fault happens, until all faces have been
// answering again for a while.
func (s *stage) play(ctx context.Context, f fault) (*history, span, error) {
	h := &history{began: time.Now()}
	clients, err := s.clients(ctx, h)
	if err != nil {
		return h, span{}, fmt.Errorf("new tenants: %w", err)
	}
	stop := make(chan struct{})
	var running sync.WaitGroup
	for _, c := range clients {
		running.Go(func() { c.run(ctx, stop) })
	}
	at, err := s.happen(ctx, h, f)
	close(stop)
	running.Wait()
	if err != nil {
		return h, at, err
	}
	for _, c := range clients {
		c.send(ctx, request{Verb: list}) // what is left at the end
	}
	return h, at, nil
}

// span is when a fault happened, by the clock of the history.
type span struct{ struck, healed time.Duration }

func (s *stage) happen(ctx context.Context, h *history, f fault) (span, error) {
	if err := s.awaitAnswers(ctx, h, 5); err != nil {
		return span{}, fmt.Errorf("before the fault: %w", err)
	}
	at := span{struck: h.now()}
	heal, err := f.strike(ctx, s)
	if err != nil {
		return at, err
	}
	s.hold(f.holds[s.rng.IntN(len(f.holds))])
	err = heal(ctx)
	at.healed = h.now()
	if err != nil {
		return at, err
	}
	for _, r := range s.replicas {
		if err := r.AwaitReady(ctx); err != nil {
			return at, err
		}
	}
	if err := s.awaitAnswers(ctx, h, 10); err != nil {
		return at, fmt.Errorf("after the fault: %w", err)
	}
	return at, nil
}

// awaitAnswers waits until from now on every face has answered some reads and writes.
func (s *stage) awaitAnswers(ctx context.Context, h *history, some int) error {
	since := h.now()
	return until(ctx, patienceWithFaults, func(context.Context) error {
		for _, f := range s.faces() {
			if reads, writes := h.answeredSince(since, f.Name); reads < some || writes < some {
				return fmt.Errorf("%s has answered %d reads and %d writes", f.Name, reads, writes)
			}
		}
		return nil
	})
}

// until tries again until f succeeds.
func until(ctx context.Context, patience time.Duration, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := f(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		}
	}
}
