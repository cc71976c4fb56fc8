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

// scope is what one reconcile has read and computed.
type scope struct {
	// namespace is the tenant. Set at the start.
	namespace string
	// members are the tenant's objects, except those being deleted. Set by read.
	members map[types.UID]*Member
	// existing are the tenant's bundles as cached, without data; nobody may change them. A
	// Secret that has the label but another type is not Latchkey's and is left out. Set by
	// read.
	existing map[string]*corev1.Secret
	// sources are the resourceVersions of the Secrets that members take their values
	// from; "" for a Secret that does not exist. Set by read.
	sources map[types.UID]string
	// decisions are the members in the order of their claims. Set by decide.
	decisions []bundle.Decision
	// records describe how the entries of existing were made. Set by read.
	records map[string]*bundle.Record
	// inputs are digests of all that the needed values depend on. Set by know.
	inputs map[types.UID]digest.Short
	// known is what is known about those values. Set by know and fetch.
	known map[types.UID]bundle.Known
	// hand has the values that were opened or read. Set by fetch and fillDocument.
	hand map[types.UID]bundle.Printed
	// texts has sealed values of which the cache has only briefs, by the UIDs of their objects.
	// Set by textOf.
	texts map[types.UID]string
	// live has the tenant's bundles with their data, if they had to be read; nil for a
	// bundle that does not exist. Set by readLive.
	live map[string]*corev1.Secret
	// lacks are the keys of each bundle whose entries are not as they should be. Set by fill.
	lacks map[string]map[string]bool
	// laid is what the bundles should contain. Set by plan.
	laid bundle.Laid
	// plans are the intended states of the bundles; a bundle that is not tried yet has
	// none. Set by plan.
	plans map[string]*plan
	// before is what was remembered about the tenant; set by read. memo is what to
	// remember; set by apply.
	before, memo *memo
	// setback describes the bundles that could not be written; nil if all were. Set by
	// plan if it is too early to try again, otherwise by apply.
	setback *setback
	// wrote is true if a request that can change something was sent. Set by apply and
	// writeStatus.
	wrote bool
	// together is the number of changes that were written. Set by apply and
	// writeStatus.
	together int
	// refresh is when a record must be updated; zero if none is outdated. Set by apply.
	refresh time.Time
}

// contents returns what a bundle should contain.
func (r *Reconciler) contents(s *scope, name string) bundle.Contents {
	if name == r.Adapter.EnvBundle {
		return s.laid.Env
	}
	return s.laid.Files
}

// read reads the tenant's state from the caches.
func (r *Reconciler) read(ctx context.Context, namespace string) (*scope, error) {
	s := &scope{
		namespace: namespace,
		existing:  map[string]*corev1.Secret{},
		sources:   map[types.UID]string{},
		records:   map[string]*bundle.Record{},
		hand:      map[types.UID]bundle.Printed{},
		live:      map[string]*corev1.Secret{},
		lacks:     map[string]map[string]bool{},
		before:    r.memos.get(namespace),
	}
	members, err := r.Adapter.List(ctx, r.Client, namespace)
	if err != nil {
		return nil, fmt.Errorf("list %ss: %w", r.Adapter.Kind, err)
	}
	n := len(members)
	s.members, s.inputs, s.known = make(map[types.UID]*Member, n), make(map[types.UID]digest.Short, n), make(map[types.UID]bundle.Known, n)
	var sources []string
	for i := range members {
		m := &members[i]
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
		err := r.Client.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, secret, client.UnsafeDisableDeepCopy)
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

// recordOf returns the record of a bundle: the remembered one if it is newer than the
// one on the bundle.
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
