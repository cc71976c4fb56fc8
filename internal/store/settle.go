// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/bundle"
	"github.com/latchkey-dev/latchkey/internal/claim"
	"github.com/latchkey-dev/latchkey/internal/limits"
)

// The guarantee: of simultaneous writes that claim the same, or that together
// exceed a limit, at most one is acknowledged, whichever replicas they went to, and
// nothing of the others remains. There is no lock. A request writes, waits until
// its replica's cache has come to that write, and looks at the tenant. If it sees
// no rival it has won: any rival's write comes later in the API server's order, so
// the rival, looking after its own write, will see this one. If it sees a rival it
// cannot tell from the cache which of the two came first, since later updates hide
// the order. Then it asks the API server for the tenant exactly as it was at its
// own write: whoever is in there came before. See docs/decisions.

// record is an object, reduced to what is judged.
type record struct {
	uid    types.UID
	holder claim.Holder
	use    limits.Use
}

func userRecord(u *v1alpha1.UserSecret) record {
	return record{uid: u.UID, holder: claim.OfUser(u), use: bundle.UserUse(u)}
}

func agentRecord(a *v1alpha1.AgentSecret) record {
	return record{uid: a.UID, holder: claim.OfAgent(a), use: bundle.AgentUse(a)}
}

// proposal is an object as a request wants it to be.
type proposal struct {
	record
	// before is what the object was; nil for a new one. What it claimed already is
	// not judged again, and one that does not grow cannot exceed a limit.
	before *record
}

func (p proposal) grows() bool {
	return p.before == nil || p.use.Exceeds(p.before.use)
}

// lister reads a tenant's records: from the cache, or as it was at a version.
type lister func(ctx context.Context, namespace string, opts ...client.ListOption) ([]record, error)

// check judges proposals against the cache, before anything is written.
func (c *core) check(ctx context.Context, namespace string, ps []proposal) error {
	all, err := c.cached(ctx, namespace)
	if err != nil {
		return fmt.Errorf("%w: list %ss: %w", ErrUnavailable, c.kind, err)
	}
	return c.judge(ps, all)
}

// judge compares proposals with a tenant's objects, their own left out.
func (c *core) judge(ps []proposal, all []record) error {
	own := map[types.UID]bool{}
	for _, p := range ps {
		own[p.uid] = p.uid != ""
	}
	others := slices.DeleteFunc(slices.Clone(all), func(r record) bool { return own[r.uid] })
	holders := make([]claim.Holder, 0, len(others))
	for _, r := range others {
		holders = append(holders, r.holder)
	}
	table := claim.NewTable(holders)
	taken := map[claim.Claim]bool{}
	var use limits.Use
	for _, r := range others {
		for _, cl := range r.holder.Claims {
			taken[cl] = true
		}
		if table.Counts(r.holder) {
			use = use.Add(r.use)
		}
	}
	was, is := use, use
	var conflicts []Conflict
	for i, p := range ps {
		for _, cl := range p.holder.Claims {
			if taken[cl] && (p.before == nil || !p.before.holder.Has(cl)) && c.unique(cl.Kind) {
				conflicts = append(conflicts, Conflict{Index: i, Field: claimFields[cl.Kind]})
			}
			taken[cl] = true
		}
		is = is.Add(p.use)
		if p.before != nil {
			was = was.Add(p.before.use)
		}
	}
	var errs []error
	if len(conflicts) > 0 {
		errs = append(errs, &ConflictError{Conflicts: conflicts})
	}
	if excess := c.limit(was, is); excess != nil {
		errs = append(errs, limitError(excess))
	}
	return errors.Join(errs...)
}

var claimFields = map[v1alpha1.ClaimKind]string{
	v1alpha1.ClaimName: FieldName,
	v1alpha1.ClaimPath: FieldName,
	v1alpha1.ClaimEnv:  FieldEnvName,
	v1alpha1.ClaimFile: FieldFilePath,
}

// settle decides, after proposals were written, whether they may stay. Version is
// the resourceVersion of the last write.
func (c *core) settle(ctx context.Context, namespace string, ps []proposal, version string) error {
	waiting, cancel := context.WithTimeout(ctx, catchUp)
	defer cancel()
	if err := c.Seen(waiting, Mark{Kind: c.kind, Namespace: namespace, Version: parseVersion(version)}); err != nil {
		return err
	}
	if c.check(ctx, namespace, ps) == nil {
		return nil
	}
	then, err := c.exact(ctx, namespace, exactly(namespace, version)...)
	if err != nil {
		return fmt.Errorf("%w: look at the tenant as of the write: the API server answered %s", ErrUnavailable, apierrors.ReasonForError(err))
	}
	return c.judge(ps, then)
}

// lost tells whether a write failed because others were faster. Who lost to an
// object that is itself being taken back may try again; who lost for good is told
// so by the check before the next try.
func lost(err error) bool {
	var conflict *ConflictError
	var limit *LimitError
	return errors.As(err, &conflict) || errors.As(err, &limit)
}

// pause waits for the cache to learn something of a namespace, for a short while at
// most.
func (c *core) pause(ctx context.Context, namespace string) {
	var changed <-chan struct{}
	if t := c.trackers.of(namespace); t != nil {
		_, changed = t.state()
	}
	timer := time.NewTimer(50 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
	case <-ctx.Done():
	}
}
