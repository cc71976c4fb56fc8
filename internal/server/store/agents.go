// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/binding"
	"github.com/latchkey-dev/latchkey/internal/bundle"
	"github.com/latchkey-dev/latchkey/internal/naming"
	"github.com/latchkey-dev/latchkey/internal/policy"
	"github.com/latchkey-dev/latchkey/internal/policy/limits"
	"github.com/latchkey-dev/latchkey/internal/seal"
	"github.com/latchkey-dev/latchkey/internal/typedvalue"
)

// uidIndex finds an AgentSecret by its UID, which is its id in REST.
const uidIndex = "metadata.uid"

// NewAgent is an agent secret to create.
type NewAgent struct {
	// Path is canonical.
	Path []string
	// Type is the type of the value.
	Type *typedvalue.Type
	// Value is canonical JSON of that type; nil means no value yet.
	Value *seal.Value
}

// AgentChange is what to change in the value of an agent secret.
type AgentChange struct {
	// Set replaces the value with canonical JSON; Unset removes it. Without either,
	// only the revision rises.
	Set   *seal.Value
	Unset bool
}

// Agents stores the agent secrets of all tenants.
type Agents struct {
	*core
	limits limits.Agent
	ids    *byID
}

// NewAgents returns a store of agent secrets that reads from o.Cache, which must not
// have been started yet.
func NewAgents(ctx context.Context, o Options, l limits.Agent) (*Agents, error) {
	c, err := newCore(ctx, o, "AgentSecret", &v1alpha1.AgentSecret{})
	if err != nil {
		return nil, err
	}
	if err := o.Cache.IndexField(ctx, &v1alpha1.AgentSecret{}, uidIndex, func(obj client.Object) []string {
		return []string{string(obj.GetUID())}
	}); err != nil {
		return nil, fmt.Errorf("index AgentSecrets: %w", err)
	}
	c.limit = l.Check
	// Two paths can lead to the same variable. The contract has no refusal for that;
	// the status of the later object reports it.
	c.unique = func(k v1alpha1.ClaimKind) bool { return k == v1alpha1.ClaimPath }
	c.cached = func(ctx context.Context, namespace string) ([]policy.Secret, error) {
		list := &v1alpha1.AgentSecretList{}
		err := o.Cache.List(ctx, list, client.InNamespace(namespace), client.UnsafeDisableDeepCopy)
		return records(list.Items, bundle.OfAgent), err
	}
	return &Agents{core: c, limits: l, ids: newByID(o.Live, o.Namespaces)}, nil
}

// List returns the tenant's agent secrets. They must not be changed.
func (s *Agents) List(ctx context.Context, namespace string) ([]*v1alpha1.AgentSecret, error) {
	list := &v1alpha1.AgentSecretList{}
	if err := s.Cache.List(ctx, list, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("%w: list AgentSecrets: %w", ErrUnavailable, err)
	}
	return alive(list.Items), nil
}

// Get returns the agent secret with an id, or ErrNotFound. It must not be changed.
func (s *Agents) Get(ctx context.Context, id string) (*v1alpha1.AgentSecret, error) {
	found, err := s.cachedByID(ctx, id)
	if !errors.Is(err, ErrNotFound) {
		return found, err
	}
	now, err := s.ids.Do(ctx, struct{}{})
	if err != nil {
		return nil, err
	}
	mark, ok := now[types.UID(id)]
	if !ok {
		return nil, ErrNotFound
	}
	if err := s.waitForCache(ctx, mark); err != nil {
		return nil, err
	}
	return s.cachedByID(ctx, id)
}

// Refresh does the work of Get for a secret that is not in the cache. It is for
// refusals that must not differ from the answer about a secret that does not exist.
func (s *Agents) Refresh(ctx context.Context) error {
	_, err := s.ids.Do(ctx, struct{}{})
	return err
}

func (s *Agents) cachedByID(ctx context.Context, id string) (*v1alpha1.AgentSecret, error) {
	list := &v1alpha1.AgentSecretList{}
	if err := s.Cache.List(ctx, list, client.MatchingFields{uidIndex: id}, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("%w: find AgentSecret: %w", ErrUnavailable, err)
	}
	if found := alive(list.Items); len(found) > 0 {
		return found[0], nil
	}
	return nil, ErrNotFound
}

// seal seals a value for a.
func (s *Agents) seal(a *v1alpha1.AgentSecret, v seal.Value) (string, error) {
	at, err := binding.OfAgent(a)
	if err != nil {
		return "", err
	}
	text, err := s.Keyring.Seal(at, v)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return text, nil
}

// Create creates one agent secret with revision 0. It is refused with a *ConflictError
// if the path is taken, or with a *limits.Excess.
func (s *Agents) Create(ctx context.Context, namespace string, n NewAgent) (*v1alpha1.AgentSecret, error) {
	if err := s.fits(n.Value); err != nil {
		return nil, err
	}
	obj, err := s.newObject(namespace, n)
	if err != nil {
		return nil, err
	}
	unlock, err := s.lock(ctx, namespace)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := s.check(ctx, namespace, []policy.Change{{Secret: bundle.OfAgent(obj)}}); err != nil {
		return nil, err
	}
	return obj, s.createOnce(ctx, obj)
}

// fits refuses a value that exceeds the limit of one value.
func (s *Agents) fits(v *seal.Value) error {
	if v == nil {
		return nil
	}
	if excess := s.limits.CheckValue(0, v.Len()); excess != nil {
		return excess
	}
	return nil
}

func (s *Agents) newObject(namespace string, n NewAgent) (*v1alpha1.AgentSecret, error) {
	raw, err := n.Type.MarshalStored()
	if err != nil {
		return nil, fmt.Errorf("store the type: %w", err)
	}
	obj := &v1alpha1.AgentSecret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:   namespace,
			Name:        naming.Digest(strings.Join(n.Path, ".")),
			Annotations: map[string]string{v1alpha1.AnnotationCanonicalPath: "true"},
		},
		Spec: v1alpha1.AgentSecretSpec{Path: n.Path, SecretType: runtime.RawExtension{Raw: raw}},
	}
	if n.Value == nil {
		return obj, nil
	}
	obj.Spec.SealedValue, err = s.seal(obj, *n.Value)
	return obj, err
}

func (s *Agents) createOnce(ctx context.Context, obj *v1alpha1.AgentSecret) error {
	err := s.Live.Create(ctx, obj)
	if apierrors.IsAlreadyExists(err) {
		// The name depends only on the path: another writer created this path first.
		other := &v1alpha1.AgentSecret{}
		if gerr := s.Live.Get(ctx, client.ObjectKeyFromObject(obj), other); gerr == nil {
			if serr := s.waitForCache(ctx, versionMark(other)); serr != nil {
				return serr
			}
		}
		return &ConflictError{Conflicts: []Conflict{{Claim: v1alpha1.ClaimPath}}}
	}
	if err != nil {
		return refused("create AgentSecret", err)
	}
	if err := s.confirm(ctx, obj.Namespace, []policy.Change{{Secret: bundle.OfAgent(obj)}}, obj.ResourceVersion); err != nil {
		return unlessUnjudged(err, func() error { return s.takeBack(ctx, obj) })
	}
	return nil
}

// Update applies a change to the revision that the caller saw, or returns ErrRevision
// if it is no longer current. The API server compares the revision as part of the
// write.
func (s *Agents) Update(ctx context.Context, a *v1alpha1.AgentSecret, revision int64, change AgentChange) (*v1alpha1.AgentSecret, error) {
	unlock, a, err := s.begin(ctx, a, revision)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := s.fits(change.Set); err != nil { // an old revision takes precedence
		return nil, err
	}
	after := a.DeepCopy()
	after.Spec.Revision++
	patch := []map[string]any{
		{"op": "test", "path": "/metadata/uid", "value": a.UID},
		{"op": "test", "path": "/spec/revision", "value": revision},
		{"op": "replace", "path": "/spec/revision", "value": revision + 1},
	}
	switch {
	case change.Set != nil:
		text, err := s.seal(a, *change.Set)
		if err != nil {
			return nil, err
		}
		after.Spec.SealedValue = text
		patch = append(patch, map[string]any{"op": "add", "path": "/spec/sealedValue", "value": text})
	case change.Unset && a.Spec.SealedValue != "":
		after.Spec.SealedValue = ""
		patch = append(patch, map[string]any{"op": "remove", "path": "/spec/sealedValue"})
	}
	was := bundle.OfAgent(a)
	p := policy.Change{Secret: bundle.OfAgent(after), Before: &was}
	if err := s.check(ctx, a.Namespace, []policy.Change{p}); err != nil {
		return nil, err
	}
	raw, err := json.Marshal(patch)
	if err != nil {
		return nil, err
	}
	if err := s.Live.Patch(ctx, after, client.RawPatch(types.JSONPatchType, raw)); err != nil {
		return nil, s.missed(ctx, a, revision, "update AgentSecret", err)
	}
	if err := s.confirm(ctx, a.Namespace, []policy.Change{p}, after.ResourceVersion); err != nil {
		return nil, unlessUnjudged(err, func() error { return s.restore(ctx, a, after) })
	}
	return after, nil
}

// begin takes the tenant's lock to write a secret at the revision that the caller saw.
// It returns the current state of the secret.
func (s *Agents) begin(ctx context.Context, a *v1alpha1.AgentSecret, revision int64) (unlock func(), now *v1alpha1.AgentSecret, err error) {
	if unlock, err = s.lock(ctx, a.Namespace); err != nil {
		return nil, nil, err
	}
	now, err = s.cachedByID(ctx, string(a.UID))
	if err == nil && now.Spec.Revision != revision {
		err = ErrRevision
	}
	if err != nil {
		unlock()
		return nil, nil, err
	}
	return unlock, now, nil
}

// missed explains why a write that tested the revision was refused, once the cache has
// the write that came first.
func (s *Agents) missed(ctx context.Context, a *v1alpha1.AgentSecret, revision int64, what string, err error) error {
	if !apierrors.IsNotFound(err) && !apierrors.IsInvalid(err) && !apierrors.IsConflict(err) {
		return refused(what, err)
	}
	if _, gerr := s.current(ctx, a, revision, what); gerr != nil {
		return gerr
	}
	return refused(what, err)
}

// current returns a secret as the API server has it, if it still has the revision that the
// caller saw.
func (s *Agents) current(ctx context.Context, a *v1alpha1.AgentSecret, revision int64, what string) (*v1alpha1.AgentSecret, error) {
	live := &v1alpha1.AgentSecret{}
	err := s.Live.Get(ctx, client.ObjectKeyFromObject(a), live)
	switch {
	case apierrors.IsNotFound(err), err == nil && live.UID != a.UID:
		return nil, s.gone(ctx, a)
	case err != nil:
		return nil, refused(what, err)
	case live.Spec.Revision != revision:
		return nil, errors.Join(ErrRevision, s.waitForCache(ctx, versionMark(live)))
	}
	return live, nil
}

// restore undoes an update that exceeded a limit. The revision stays raised, because it
// was visible. It continues after the client has gone.
func (s *Agents) restore(ctx context.Context, before, after *v1alpha1.AgentSecret) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), catchUp)
	defer cancel()
	patch := []map[string]any{
		{"op": "test", "path": "/metadata/uid", "value": after.UID},
		{"op": "test", "path": "/spec/revision", "value": after.Spec.Revision},
	}
	if before.Spec.SealedValue == "" {
		patch = append(patch, map[string]any{"op": "remove", "path": "/spec/sealedValue"})
	} else {
		patch = append(patch, map[string]any{"op": "replace", "path": "/spec/sealedValue", "value": before.Spec.SealedValue})
	}
	raw, err := json.Marshal(patch)
	if err != nil {
		return err
	}
	err = s.Live.Patch(ctx, after, client.RawPatch(types.JSONPatchType, raw))
	if apierrors.IsNotFound(err) || apierrors.IsInvalid(err) {
		return nil // somebody has written it since, and their write stands
	}
	if err != nil {
		return refused("undo the update of AgentSecret", err)
	}
	return s.waitForCache(ctx, versionMark(after))
}

// Delete deletes the agent secret at the revision that the caller saw, and returns its
// last state.
func (s *Agents) Delete(ctx context.Context, a *v1alpha1.AgentSecret, revision int64) (*v1alpha1.AgentSecret, error) {
	unlock, a, err := s.begin(ctx, a, revision)
	if err != nil {
		return nil, err
	}
	defer unlock()
	for range tries {
		uid, version := a.UID, a.ResourceVersion
		err := s.Live.Delete(ctx, a.DeepCopy(), client.Preconditions{UID: &uid, ResourceVersion: &version})
		if err == nil {
			return a, s.waitForCache(ctx, goneMark(a))
		}
		if !apierrors.IsConflict(err) {
			return nil, s.missed(ctx, a, revision, "delete AgentSecret", err)
		}
		// The status may have been written; compare the revision itself.
		if a, err = s.current(ctx, a, revision, "delete AgentSecret"); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%w: the secret keeps changing", ErrUnavailable)
}
