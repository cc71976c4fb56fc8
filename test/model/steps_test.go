// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package model

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/binding"
	"github.com/latchkey-dev/latchkey/internal/seal"
	"github.com/latchkey-dev/latchkey/test/framework"
)

// step does something to a tenant and to its model.
type step struct {
	name string
	// loses: a value may not be to be had after it. Such steps and those that harm a bundle,
	// which may be the last place of a value, do not go together.
	loses, harms bool
	do           func(*run, context.Context, *tenant) error
}

var steps = []step{
	{name: "create", do: (*run).create},
	{name: "create", do: (*run).create},
	{name: "create", do: (*run).create},
	{name: "change value", do: (*run).changeValue},
	{name: "change value", do: (*run).changeValue},
	{name: "seal again", do: (*run).reseal},
	{name: "switch", harms: true, do: (*run).toggle},
	{name: "retarget", do: (*run).retarget},
	{name: "delete", do: (*run).remove},
	{name: "change source", harms: true, do: (*run).changeSource},
	{name: "lose source", loses: true, do: (*run).loseSource},
	{name: "change entry by hand", harms: true, do: (*run).drift},
	{name: "delete entry by hand", harms: true, do: (*run).driftAway},
	{name: "add entry by hand", do: (*run).driftIn},
	{name: "strip bundle by hand", harms: true, do: (*run).strip},
	{name: "delete bundle", harms: true, do: (*run).removeBundle},
	{name: "foreign Secret comes", harms: true, do: (*run).block},
	{name: "foreign Secret goes", do: (*run).unblock},
}

func pick[T any](r *run, from []T) (T, bool) {
	var zero T
	if len(from) == 0 {
		return zero, false
	}
	return from[r.random.IntN(len(from))], true
}

// one picks an object whose value can be had.
func (r *run) one(t *tenant) (*secret, bool) {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(t.secrets)) {
		if _, can := t.available(t.secrets[name]); can {
			names = append(names, name)
		}
	}
	name, ok := pick(r, names)
	return t.secrets[name], ok
}

func (r *run) newValue() string {
	r.serial++
	return fmt.Sprintf("%s-%d", canary, r.serial)
}

func (r *run) create(ctx context.Context, t *tenant) error {
	n := r.random.IntN(6)
	s := &secret{name: fmt.Sprint("s", n), agent: n >= 4, enabled: true}
	if t.secrets[s.name] != nil {
		return nil
	}
	s.env = "E" + strconv.Itoa(n)
	if s.agent {
		s.env, s.value = "S"+strconv.Itoa(n), r.newValue()
		a := framework.AgentSecret(t.namespace, s.name, `{"type":"Str"}`, strconv.Quote(s.value), s.name)
		if err := r.api.Create(ctx, a); err != nil {
			return err
		}
		s.key = seal.KeyIDOf(a.Spec.SealedValue)
		t.secrets[s.name] = s
		return nil
	}
	if r.random.IntN(2) == 0 {
		s.file = "~/f" + strconv.Itoa(n)
	}
	spec := v1alpha1.UserSecretSpec{EnvName: s.env, FilePath: s.file}
	if source, ok := pick(r, slices.Sorted(maps.Keys(t.sources))); ok && r.random.IntN(3) == 0 {
		s.source = source
		spec.ValueFrom = &v1alpha1.ValueSource{SecretKeyRef: v1alpha1.SecretKeyRef{Name: source, Key: "key"}}
	} else {
		s.value = r.newValue()
		spec.Value = v1alpha1.WriteOnlyString(s.value)
	}
	u := framework.UserSecret(t.namespace, s.name, spec)
	if err := r.api.Create(ctx, u); err != nil {
		return err
	}
	s.key = seal.KeyIDOf(u.Spec.SealedValue)
	t.secrets[s.name] = s
	return nil
}

// modify changes an object as a user does.
func modify[T client.Object](ctx context.Context, r *run, obj T, change func(T)) error {
	return retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		if err := r.api.Get(ctx, client.ObjectKeyFromObject(obj), obj); err != nil {
			return err
		}
		change(obj)
		return r.api.Update(ctx, obj)
	})
}

func (r *run) changeValue(ctx context.Context, t *tenant) error {
	s, ok := r.one(t)
	if !ok || s.source != "" {
		return nil
	}
	value := r.newValue()
	if s.agent {
		a := framework.AgentSecret(t.namespace, s.name, "", "")
		if err := modify(ctx, r, a, func(a *v1alpha1.AgentSecret) { a.Spec.Value = v1alpha1.NewWriteOnly([]byte(strconv.Quote(value))) }); err != nil {
			return err
		}
		s.key = seal.KeyIDOf(a.Spec.SealedValue)
	} else {
		u := framework.UserSecret(t.namespace, s.name, v1alpha1.UserSecretSpec{})
		if err := modify(ctx, r, u, func(u *v1alpha1.UserSecret) { u.Spec.Value = v1alpha1.WriteOnlyString(value) }); err != nil {
			return err
		}
		s.key = seal.KeyIDOf(u.Spec.SealedValue)
	}
	s.value = value
	return nil
}

// reseal seals a value with the newest key, as is done after a rotation: the bundles are
// right, and what they were made from has changed.
func (r *run) reseal(ctx context.Context, t *tenant) error {
	s, ok := r.one(t)
	if !ok || s.source != "" || len(r.keys) == 0 {
		return nil
	}
	newest := r.keys[len(r.keys)-1]
	sealed := func(at seal.Context, value string) string {
		text, err := seal.Seal(newest.Private.Public(), at, seal.ValueOf(value))
		if err != nil {
			panic(err) // these contexts are known to be good
		}
		return text.String()
	}
	var err error
	if s.agent {
		err = modify(ctx, r, framework.AgentSecret(t.namespace, s.name, "", ""), func(a *v1alpha1.AgentSecret) {
			at, problem := binding.OfAgent(a)
			if problem != nil {
				panic(problem)
			}
			a.Spec.SealedValue = sealed(at, strconv.Quote(s.value))
		})
	} else {
		err = modify(ctx, r, framework.UserSecret(t.namespace, s.name, v1alpha1.UserSecretSpec{}), func(u *v1alpha1.UserSecret) {
			u.Spec.SealedValue = sealed(binding.User(t.namespace, s.name), s.value)
		})
	}
	s.key = newest.ID
	return err
}

// toggle switches a user's secret off, or on again.
func (r *run) toggle(ctx context.Context, t *tenant) error {
	s, ok := r.one(t)
	if !ok || s.agent {
		return nil
	}
	s.enabled = !s.enabled
	return modify(ctx, r, framework.UserSecret(t.namespace, s.name, v1alpha1.UserSecretSpec{}), func(u *v1alpha1.UserSecret) { u.Spec.Enabled = &s.enabled })
}

// retarget gives a user's secret other places, whether its value is to be had or not.
func (r *run) retarget(ctx context.Context, t *tenant) error {
	name, ok := pick(r, slices.Sorted(maps.Keys(t.secrets)))
	s := t.secrets[name]
	if !ok || s.agent {
		return nil
	}
	switch r.random.IntN(3) {
	case 0:
		s.env = "E" + name[1:] + strconv.Itoa(r.random.IntN(3))
	case 1:
		s.file = "~/f" + name[1:] + strconv.Itoa(r.random.IntN(3))
	default:
		s.env, s.file = "E"+name[1:], ""
	}
	return modify(ctx, r, framework.UserSecret(t.namespace, s.name, v1alpha1.UserSecretSpec{}), func(u *v1alpha1.UserSecret) {
		u.Spec.EnvName, u.Spec.FilePath = s.env, s.file
	})
}

func (r *run) remove(ctx context.Context, t *tenant) error {
	name, ok := pick(r, slices.Sorted(maps.Keys(t.secrets)))
	if !ok {
		return nil
	}
	var obj client.Object = framework.UserSecret(t.namespace, name, v1alpha1.UserSecretSpec{})
	if t.secrets[name].agent {
		obj = framework.AgentSecret(t.namespace, name, "", "")
	}
	delete(t.secrets, name)
	return r.api.Delete(ctx, obj)
}

func (r *run) changeSource(ctx context.Context, t *tenant) error {
	name := fmt.Sprint("source", r.random.IntN(2))
	value := r.newValue()
	secret := framework.Secret(t.namespace, name, map[string]string{"key": value})
	err := r.api.Create(ctx, secret)
	if apierrors.IsAlreadyExists(err) {
		err = modify(ctx, r, secret, func(s *corev1.Secret) { s.Data = map[string][]byte{"key": []byte(value)} })
	}
	t.sources[name] = value
	return err
}

// loseSource deletes a source, or the key in it.
func (r *run) loseSource(ctx context.Context, t *tenant) error {
	name, ok := pick(r, slices.Sorted(maps.Keys(t.sources)))
	if !ok {
		return nil
	}
	for _, s := range t.secrets {
		if s.source == name && s.held != yes {
			s.held, s.last = maybe, t.sources[name] // it may have got there since all was settled
		}
	}
	delete(t.sources, name)
	secret := framework.Secret(t.namespace, name, nil)
	if r.random.IntN(2) == 0 {
		return r.api.Delete(ctx, secret)
	}
	return modify(ctx, r, secret, func(s *corev1.Secret) { s.Data = nil })
}
