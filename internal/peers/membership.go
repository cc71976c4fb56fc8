// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package peers

import (
	"context"
	"fmt"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	toolscache "k8s.io/client-go/tools/cache"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// LabelServer marks the Leases of server replicas.
	LabelServer = "latchkey.dev/server"
	// annotationAddress is where a replica's REST port is.
	annotationAddress = "latchkey.dev/address"

	// renewEvery is the time between two renewals.
	renewEvery = 2 * time.Second
	// serveFor is how long after a renewal a replica answers readers.
	serveFor = 8 * time.Second
	// waitFor is how long after the last renewal that it saw a writer waits for a
	// replica. It is longer than serveFor, by more than a watch lags.
	waitFor = 12 * time.Second
	// settleFor is how long a new replica waits, once it has a Lease, before it is
	// ready: by then every writer knows of it.
	settleFor = time.Second
)

// Members knows which replicas serve, and keeps this one's Lease.
type Members struct {
	client    client.Client
	namespace string
	identity  string
	address   string

	mu sync.Mutex
	// others are the other replicas, by Lease name.
	others map[string]other
	// renewed is when this replica last renewed its Lease; ready is when it may
	// answer readers.
	renewed, ready time.Time
}

// other is another replica.
type other struct {
	address string
	// seen is when its last renewal was seen here, by this replica's clock.
	seen    time.Time
	renewed metav1.MicroTime
}

// NewMembers returns the members of one installation. Identity is unique to this
// process; address is where its REST port is reached. Leases are read through c.
func NewMembers(ctx context.Context, live client.Client, c cache.Cache, namespace, identity, address string) (*Members, error) {
	m := &Members{client: live, namespace: namespace, identity: identity, address: address, others: map[string]other{}}
	informer, err := c.GetInformer(ctx, &coordinationv1.Lease{}, cache.BlockUntilSynced(false))
	if err != nil {
		return nil, fmt.Errorf("watch the server's Leases: %w", err)
	}
	_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    m.observe,
		UpdateFunc: func(_, obj any) { m.observe(obj) },
		DeleteFunc: m.gone,
	})
	return m, err
}

func (m *Members) observe(obj any) {
	lease, ok := obj.(*coordinationv1.Lease)
	if !ok || lease.Name == m.leaseName() || lease.Labels[LabelServer] == "" || lease.Spec.RenewTime == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if was, known := m.others[lease.Name]; known && was.renewed.Equal(lease.Spec.RenewTime) {
		return
	}
	m.others[lease.Name] = other{address: lease.Annotations[annotationAddress], seen: time.Now(), renewed: *lease.Spec.RenewTime}
}

func (m *Members) gone(obj any) {
	if tomb, ok := obj.(toolscache.DeletedFinalStateUnknown); ok {
		obj = tomb.Obj
	}
	if lease, ok := obj.(*coordinationv1.Lease); ok {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.others, lease.Name)
	}
}

// alive returns the addresses of the other replicas that may be serving.
func (m *Members) alive() map[string]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[string]string{}
	for name, o := range m.others {
		if time.Since(o.seen) < waitFor && o.address != "" {
			out[name] = o.address
		}
	}
	return out
}

// left returns for how long a replica is still to be waited for, if it does not renew
// its Lease; 0 or less if it is not.
func (m *Members) left(name string) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	o, known := m.others[name]
	if !known {
		return 0
	}
	return waitFor - time.Since(o.seen)
}

func (m *Members) leaseName() string { return "latchkey-server-" + m.identity }

// Serving returns an error while this replica must not answer readers.
func (m *Members) Serving() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.ready.IsZero() || time.Now().Before(m.ready):
		return fmt.Errorf("this replica has not joined the others yet")
	case time.Since(m.renewed) > serveFor:
		return fmt.Errorf("this replica cannot renew its Lease, so others may not wait for it any more")
	}
	return nil
}

// Start keeps the Lease until ctx ends, and then gives it up.
func (m *Members) Start(ctx context.Context) error {
	log := ctrl.LoggerFrom(ctx).WithName("peers")
	wait.UntilWithContext(ctx, func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, renewEvery)
		defer cancel()
		began := time.Now()
		if err := m.renew(ctx); err != nil {
			log.Error(err, "Cannot renew this replica's Lease")
			return
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		m.renewed = began
		if m.ready.IsZero() {
			m.ready = time.Now().Add(settleFor)
		}
	}, renewEvery)

	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), renewEvery)
	defer cancel()
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: m.namespace, Name: m.leaseName()}}
	if err := client.IgnoreNotFound(m.client.Delete(last, lease)); err != nil {
		log.Error(err, "Cannot give up this replica's Lease; it runs out by itself")
	}
	return nil
}

// renew writes the Lease; it makes it where it is missing.
func (m *Members) renew(ctx context.Context) error {
	now := metav1.NowMicro()
	seconds := int32(waitFor / time.Second)
	want := &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:   m.namespace,
			Name:        m.leaseName(),
			Labels:      map[string]string{LabelServer: "true"},
			Annotations: map[string]string{annotationAddress: m.address},
		},
		Spec: coordinationv1.LeaseSpec{HolderIdentity: &m.identity, LeaseDurationSeconds: &seconds, RenewTime: &now},
	}
	// Nobody else writes it, so there is nothing to compare with.
	err := m.client.Patch(ctx, want, client.Merge)
	if apierrors.IsNotFound(err) {
		return m.client.Create(ctx, want)
	}
	return err
}
