// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package keyrotation

import (
	"context"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/controllers/bundler"
	"github.com/latchkey-dev/latchkey/internal/binding"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

// sealed is one object that holds a sealed value.
type sealed struct {
	kind   string
	object client.Object
	// text is the sealed value, or its brief.
	text  string
	keyID string
}

// context returns the context that the value is sealed for.
func (s sealed) context() (seal.Context, error) {
	if a, ok := s.object.(*v1alpha1.AgentSecret); ok {
		return binding.OfAgent(a)
	}
	return binding.User(s.object.GetNamespace(), s.object.GetName()), nil
}

// all returns every object that holds a sealed value.
func (c *Controller) all(ctx context.Context) ([]sealed, error) {
	var out []sealed
	add := func(kind string, obj client.Object, text string) {
		if id := seal.KeyIDOf(text); id != "" { // not decoded, because there can be very many
			out = append(out, sealed{kind: kind, object: obj, text: text, keyID: id})
		}
	}
	users := &v1alpha1.UserSecretList{}
	if err := c.Client.List(ctx, users, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list UserSecrets: %w", err)
	}
	for i := range users.Items {
		add("UserSecret", &users.Items[i], users.Items[i].Spec.SealedValue)
	}
	agents := &v1alpha1.AgentSecretList{}
	if err := c.Client.List(ctx, agents, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list AgentSecrets: %w", err)
	}
	for i := range agents.Items {
		add("AgentSecret", &agents.Items[i], agents.Items[i].Spec.SealedValue)
	}
	return out, nil
}

// reseal seals the values of older keys with the newest. It returns the number of
// objects of each key, as the cache showed them before.
func (c *Controller) reseal(ctx context.Context) (map[string]int, error) {
	objects, err := c.all(ctx)
	if err != nil {
		return nil, err
	}
	counts := map[string]int{}
	for _, info := range c.Ring.Infos() {
		counts[info.ID] = 0
	}
	newest := c.Ring.NewestID()
	var stale []sealed
	for _, s := range objects {
		id := s.keyID
		if _, known := counts[id]; !known {
			id = unknownKey // text that users wrote must not become a label value
		}
		counts[id]++
		if s.keyID != newest {
			stale = append(stale, s)
		}
	}
	objectsPerKey.set(counts)
	for _, s := range stale {
		if err := c.limiter.Wait(ctx); err != nil {
			return nil, err
		}
		if err := c.resealOne(ctx, s); err != nil {
			resealErrors.Inc()
			ctrl.LoggerFrom(ctx).Error(err, "Cannot re-seal an object", "kind", s.kind, "namespace", s.object.GetNamespace(), "name", s.object.GetName())
		}
	}
	return counts, nil
}

// resealOne seals one value again. The patch applies only to the ciphertext that was
// opened, so it never replaces a value that a user set in the meantime.
func (c *Controller) resealOne(ctx context.Context, s sealed) error {
	at, err := s.context()
	if err != nil {
		return nil //nolint:nilerr // the object's own status says that its path or type cannot be read
	}
	if seal.IsBrief(s.text) {
		if s.text, err = c.textOf(ctx, s); err != nil || s.text == "" {
			return err
		}
	}
	value, err := c.Ring.Open(ctx, at, s.text)
	if err != nil {
		return nil //nolint:nilerr // the object's own status says that it cannot be opened
	}
	text, err := c.Ring.Seal(at, value)
	if err != nil {
		return err
	}
	patch, err := json.Marshal([]map[string]any{
		{"op": "test", "path": "/metadata/uid", "value": s.object.GetUID()},
		{"op": "test", "path": "/spec/sealedValue", "value": s.text},
		{"op": "replace", "path": "/spec/sealedValue", "value": text},
	})
	if err != nil {
		return err
	}
	obj, ok := s.object.DeepCopyObject().(client.Object)
	if !ok {
		return fmt.Errorf("copy of %s is not an object", s.kind)
	}
	err = c.Client.Patch(ctx, obj, client.RawPatch(types.JSONPatchType, patch), bundler.FieldOwner)
	if apierrors.IsNotFound(err) || apierrors.IsInvalid(err) {
		return nil // deleted or changed in the meantime; the next round sees it
	}
	return err
}

// textOf reads the sealed value of which the cache has the brief; "" where the object is gone
// or has another one by now.
func (c *Controller) textOf(ctx context.Context, s sealed) (string, error) {
	obj, ok := s.object.DeepCopyObject().(client.Object)
	if !ok {
		return "", fmt.Errorf("copy of %s is not an object", s.kind)
	}
	err := c.Live.Get(ctx, client.ObjectKeyFromObject(obj), obj)
	if err != nil {
		return "", client.IgnoreNotFound(err)
	}
	text := ""
	switch o := obj.(type) {
	case *v1alpha1.UserSecret:
		text = o.Spec.SealedValue
	case *v1alpha1.AgentSecret:
		text = o.Spec.SealedValue
	}
	if seal.Brief(text) != s.text {
		return "", nil
	}
	return text, nil
}
