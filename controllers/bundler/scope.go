// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundler

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/bundle"
	"github.com/latchkey-dev/latchkey/internal/digest"
)

// scope is what one reconcile has read and worked out.
type scope struct {
	// namespace is the tenant. Set at the start.
	namespace string
	// members are the tenant's objects, those being deleted left out. Set by read.
	members map[types.UID]Member
	// existing are the tenant's bundles as cached, without data. A Secret that has
	// the label and not the type is not Latchkey's and not in here. Set by read.
	existing map[string]*corev1.Secret
	// sources are the resourceVersions of the Secrets that members take their
	// values from; "" where there is none. Set by read.
	sources map[types.UID]string
	// decisions are the members in the order of their claims. Set by decide.
	decisions []bundle.Decision
	// records say how the entries of existing came to be. Set by read.
	records map[string]*bundle.Record
	// inputs are what the values that are wanted depend on. Set by know.
	inputs map[types.UID]digest.Short
	// known is what is known of those values. Set by know, and by fetch.
	known map[types.UID]bundle.Known
	// hand are the values that were opened or read. Set by fetch and document.
	hand map[types.UID]bundle.Printed
	// live are the tenant's bundles with their data, where they had to be read; nil where
	// there is none. Set by readLive.
	live map[string]*corev1.Secret
	// laid is what is to be in the bundles. Set by plan.
	laid bundle.Laid
	// plans are what the bundles are to become; those that rest have none. Set by plan.
	plans map[string]*plan
	// before is what was remembered of the tenant, memo what is to be remembered. The
	// first is set by read, the second by apply.
	before, memo *memo
	// setback is what is known of bundles that could not be written; nil where all were.
	// Set by plan, where it is too early to try again, or by apply.
	setback *setback
	// wrote is that something was sent to the API server that can change something. Set by
	// apply and writeStatus.
	wrote bool
	// together is how many changes it brought. Set by apply and writeStatus.
	together int
	// refresh is when a record is to be brought up to date; zero where none is to be. Set
	// by apply.
	refresh time.Time
}

// contents returns what a bundle is to hold.
func (r *Reconciler) contents(s *scope, name string) bundle.Contents {
	if name == r.Adapter.EnvBundle {
		return s.laid.Env
	}
	return s.laid.Files
}

// read takes the tenant's state from the caches.
func (r *Reconciler) read(ctx context.Context, namespace string) (*scope, error) {
	s := &scope{
		namespace: namespace,
		members:   map[types.UID]Member{},
		existing:  map[string]*corev1.Secret{},
		sources:   map[types.UID]string{},
		records:   map[string]*bundle.Record{},
		inputs:    map[types.UID]digest.Short{},
		known:     map[types.UID]bundle.Known{},
		hand:      map[types.UID]bundle.Printed{},
		live:      map[string]*corev1.Secret{},
		before:    r.memos.get(namespace),
	}
	members, err := r.Adapter.List(ctx, r.Client, namespace)
	if err != nil {
		return nil, fmt.Errorf("list %ss: %w", r.Adapter.Kind, err)
	}
	var sources []string
	for _, m := range members {
		if !m.Object.GetDeletionTimestamp().IsZero() {
			continue
		}
		s.members[m.Item.UID] = m
		if m.Item.Source == nil {
			continue
		}
		version, err := r.Sources.Of(ctx, namespace, m.Item.Source.Name)
		if err != nil {
			return nil, err
		}
		s.sources[m.Item.UID] = version
		sources = append(sources, m.Item.Source.Name)
	}
	r.Sources.Keep(namespace, sources)
	for _, name := range r.Adapter.bundles() {
		secret := &corev1.Secret{}
		err := r.Client.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, secret)
		switch {
		case err == nil && secret.Type == v1alpha1.SecretTypeBundle:
			s.existing[name] = secret
		case client.IgnoreNotFound(err) != nil:
			return nil, fmt.Errorf("get bundle %s: %w", name, err)
		}
		if r.own.behind(namespace, name, s.existing[name], r.now()) {
			return nil, errBehind
		}
		s.records[name] = r.recordOf(s, name)
	}
	return s, nil
}

// recordOf returns the record of a bundle: as it is remembered, where more is known than
// stands on the bundle, else as it stands there.
func (r *Reconciler) recordOf(s *scope, name string) *bundle.Record {
	existing := s.existing[name]
	if existing == nil {
		return bundle.NewRecord(r.DigestKey, s.namespace, name)
	}
	text := existing.Annotations[v1alpha1.AnnotationRecord]
	if newer, ok := s.before.newer(name, text); ok {
		return newer
	}
	return bundle.ParseRecord(r.DigestKey, s.namespace, name, text)
}

// decide judges the objects without their values.
func (r *Reconciler) decide(_ context.Context, s *scope) error {
	items := make([]bundle.Item, 0, len(s.members))
	for _, m := range s.members {
		items = append(items, m.Item)
	}
	s.decisions = r.Adapter.Decide(items)
	return nil
}
