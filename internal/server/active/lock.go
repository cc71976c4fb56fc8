// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package active

import (
	"context"
	"errors"

	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// errNotOurs prevents an elector from releasing another replica's Lease.
var errNotOurs = errors.New("the Lease is another server's")

// lock reports all that an elector does with the Lease to a tenure. An elector is used
// by one goroutine.
type lock struct {
	resourcelock.Interface
	tenure *Tenure
	// holder is the holder of the Lease as last read or written. A write succeeds only
	// if nobody else wrote since.
	holder string
}

// Get implements resourcelock.Interface.
func (l *lock) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	record, raw, err := l.Interface.Get(ctx)
	l.holder = ""
	if err == nil {
		l.holder = record.HolderIdentity
		l.tenure.observe(record.HolderIdentity, record.RenewTime.String())
	}
	return record, raw, err
}

// Create implements resourcelock.Interface.
func (l *lock) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	began := l.tenure.clock.Now()
	err := l.Interface.Create(ctx, record)
	if err == nil {
		l.holder = record.HolderIdentity
		l.tenure.won(began, record.LeaderTransitions, true)
	}
	return err
}

// Update implements resourcelock.Interface.
func (l *lock) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	if record.HolderIdentity != l.Identity() {
		// An elector that slept for longer than the Lease would release it based on
		// what it remembers, although another replica holds it by now.
		if l.holder != l.Identity() {
			return errNotOurs
		}
		l.tenure.lost() // before another replica can take it
		return l.Interface.Update(ctx, record)
	}
	began := l.tenure.clock.Now()
	err := l.Interface.Update(ctx, record)
	if err == nil {
		l.holder = record.HolderIdentity
		l.tenure.won(began, record.LeaderTransitions, false)
	}
	return err
}
