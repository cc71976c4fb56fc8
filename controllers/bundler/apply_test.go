// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundler

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// meeting is an API server that answers a creation when there are two.
type meeting struct {
	*cluster
	both sync.WaitGroup
}

func (m *meeting) Create(ctx context.Context, obj client.Object, opts ...client.CreateOption) error {
	m.both.Done()
	met := make(chan struct{})
	go func() { m.both.Wait(); close(met) }()
	select {
	case <-met:
		return m.cluster.Create(ctx, obj, opts...)
	case <-time.After(10 * time.Second):
		return errors.New("the other bundle is not written meanwhile")
	}
}

func TestReconcile_TwoBundles_AreWrittenAtTheSameTime(t *testing.T) {
	c := newCluster(t)
	c.add(t, "a", canary)
	c.add(t, "b", "y", asFile)
	r := c.reconciler()
	m := &meeting{cluster: c}
	m.both.Add(2)
	r.Client = m
	writes, _, err := c.reconcile(t, r)
	if diff := cmp.Diff([]string{"create latchkey-user-env", "create latchkey-user-files", "status a Projected", "status b Projected"}, writes); diff != "" || err != nil {
		t.Errorf("Reconcile: %v, writes (-want +got):\n%s", err, diff)
	}
}
