// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package keyring

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/internal/policy/limits"
)

// Store stores sealing keys in Secrets, one each, in Latchkey's own namespace.
type Store struct {
	// Reader reads live, from the API server and not from a cache: the guarantee of
	// Ring depends on it.
	Reader client.Reader
	// Writer creates and deletes; it does not read.
	Writer client.Client
	// Namespace is Latchkey's own namespace.
	Namespace string
	// Limits and Version are published with the keys. Only a process that publishes
	// needs them.
	Limits  limits.Limits
	Version string
}

// Load reads all keys, newest first. A Secret with the label of keys but without a key
// does not hide the others: they are returned together with an error that wraps
// [ErrBrokenKey] and names the broken ones. With any other error, no keys are returned.
func (s *Store) Load(ctx context.Context) ([]Key, error) {
	var list corev1.SecretList
	err := s.Reader.List(ctx, &list, client.InNamespace(s.Namespace), client.MatchingLabels{LabelSealingKey: labelTrue})
	if err != nil {
		return nil, fmt.Errorf("list the sealing keys: %w", err)
	}
	keys := make([]Key, 0, len(list.Items))
	var broken []error
	for i := range list.Items {
		key, err := DecodeSecret(&list.Items[i])
		if err != nil {
			broken = append(broken, err)
			continue
		}
		keys = append(keys, key)
	}
	sortNewestFirst(keys)
	return keys, errors.Join(broken...)
}

// LoadInto reads all keys and passes them to ring. Its errors are those of Load; with
// one that wraps [ErrBrokenKey], ring has learnt the other keys.
func (s *Store) LoadInto(ctx context.Context, ring *Ring) error {
	keys, err := s.Load(ctx)
	ring.Learn(keys)
	return err
}

// Create makes a key and stores it. The new key is the newest: if the clock
// went back, or runs behind that of the replica that made the last key, it is
// dated after that one, since otherwise the rotation would change nothing.
func (s *Store) Create(ctx context.Context, now time.Time) (Key, error) {
	keys, err := s.Load(ctx)
	if err != nil && !errors.Is(err, ErrBrokenKey) {
		return Key{}, err
	}
	created := now
	if len(keys) > 0 && !keys[0].Created.Before(created) {
		created = keys[0].Created.Add(time.Millisecond)
	}
	key, err := NewKey(created)
	if err != nil {
		return Key{}, err
	}
	if err := s.Writer.Create(ctx, EncodeSecret(key, s.Namespace)); err != nil {
		return Key{}, fmt.Errorf("store sealing key %s: %w", key.ID, err)
	}
	return key, nil
}

// EnsureFirst creates a key if there is none, and returns all keys, newest
// first.
//
// Two callers at once may both find none and both create one. That is harmless,
// and it is why there is no lock and no marker object: both keys are stored
// before they are returned, all replicas load both, the order of keys makes all
// of them seal with the same one, and both open. A marker could outlive a
// crash between it and the key, and then there would be no key at all.
//
// If there are only broken keys, none is created: they may open everything
// that is stored, so a person has to look.
func (s *Store) EnsureFirst(ctx context.Context, now time.Time) ([]Key, error) {
	keys, err := s.Load(ctx)
	if len(keys) > 0 {
		return keys, nil
	}
	if err != nil {
		return nil, err
	}
	if _, err := s.Create(ctx, now); err != nil {
		return nil, err
	}
	return s.Load(ctx)
}

// Delete deletes a key for good: values still sealed with it are lost. It
// returns nil if the key is gone already, and refuses with [ErrNewestKey] to
// delete the one that seals.
//
// The caller makes sure that no object uses the key any more. Finding none once
// is not enough: a replica whose watch lags may still seal with an older key
// after a newer one was made. The caller therefore waits, after the rotation,
// for longer than a watch can lag, and counts then.
func (s *Store) Delete(ctx context.Context, id string) error {
	keys, err := s.Load(ctx)
	if err != nil && !errors.Is(err, ErrBrokenKey) {
		return err
	}
	if len(keys) == 0 || keys[0].ID == id {
		return fmt.Errorf("delete sealing key %s: %w", id, ErrNewestKey)
	}
	var secret corev1.Secret
	err = s.Reader.Get(ctx, client.ObjectKey{Namespace: s.Namespace, Name: secretName(id)}, &secret)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read sealing key %s: %w", id, err)
	}
	if secret.Labels[LabelSealingKey] != labelTrue {
		return fmt.Errorf("delete secret %s: %w", secret.Name, ErrForeign)
	}
	// Exactly the object that was looked at.
	uid := secret.UID
	err = s.Writer.Delete(ctx, &secret, client.Preconditions{UID: &uid})
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("delete sealing key %s: %w", id, err)
	}
	return nil
}
