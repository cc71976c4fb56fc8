// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package keyring

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/latchkey-dev/latchkey/internal/digest"
	"github.com/latchkey-dev/latchkey/internal/watch"
)

const (
	// LabelDigestKey marks the Secret with the key of the digests; its value is "true".
	LabelDigestKey = "latchkey.dev/digest-key"

	// TypeDigestKey is the type of that Secret.
	TypeDigestKey corev1.SecretType = "latchkey.dev/digest-key"

	// DigestKeyName is the name of that Secret, in Latchkey's own namespace.
	DigestKeyName = "latchkey-digest-key"

	digestDataKey = "key"
)

// EnsureDigestKey returns the key of the digests that tenants can read, and creates it
// if it does not exist.
//
// A plain hash of a short secret could be guessed. The key is stored because a new key
// at each restart would change every digest and rewrite every bundle.
func (s *Store) EnsureDigestKey(ctx context.Context) (digest.Key, error) {
	key, err := s.readDigestKey(ctx)
	if !apierrors.IsNotFound(err) {
		return key, err
	}
	b := make([]byte, digest.KeyLen)
	_, _ = rand.Read(b) // Never fails: it ends the process instead.
	key, _ = digest.NewKey(b)
	err = s.Writer.Create(ctx, s.digestSecret(key))
	if apierrors.IsAlreadyExists(err) {
		// Another replica created it first; use that one.
		return s.readDigestKey(ctx)
	}
	if err != nil {
		return digest.Key{}, fmt.Errorf("store the key of the digests: %w", err)
	}
	return key, nil
}

// PutBackDigestKey stores a key whose Secret was deleted, or replaced or unlabelled by
// somebody. With another key, every digest would change: each bundle would be written
// once, and approvals would be lost.
func (s *Store) PutBackDigestKey(ctx context.Context, key digest.Key) error {
	there := &corev1.Secret{}
	err := s.Reader.Get(ctx, client.ObjectKey{Namespace: s.Namespace, Name: DigestKeyName}, there)
	switch {
	case apierrors.IsNotFound(err):
		err = s.Writer.Create(ctx, s.digestSecret(key))
	case err != nil: // Reported below.
	case there.Type != TypeDigestKey:
		err = fmt.Errorf("secret %s: %w; delete it", DigestKeyName, ErrForeign)
	case !bytes.Equal(there.Data[digestDataKey], key.Bytes()): // It is immutable.
		err = s.Writer.Delete(ctx, there, client.Preconditions{UID: &there.UID, ResourceVersion: &there.ResourceVersion})
		if err == nil {
			err = s.Writer.Create(ctx, s.digestSecret(key))
		}
	case there.Labels[LabelDigestKey] != labelTrue:
		was := there.DeepCopy()
		metav1.SetMetaDataLabel(&there.ObjectMeta, LabelDigestKey, labelTrue)
		err = s.Writer.Patch(ctx, there, client.MergeFrom(was))
	}
	if err != nil {
		return fmt.Errorf("store the key of the digests: %w", err)
	}
	return nil
}

// digestSecret returns the Secret of a key.
func (s *Store) digestSecret(key digest.Key) *corev1.Secret {
	immutable := true
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name:      DigestKeyName,
			Namespace: s.Namespace,
			Labels:    map[string]string{LabelDigestKey: labelTrue},
		},
		Type:      TypeDigestKey,
		Immutable: &immutable,
		Data:      map[string][]byte{digestDataKey: key.Bytes()},
	}
}

func (s *Store) readDigestKey(ctx context.Context) (digest.Key, error) {
	var secret corev1.Secret
	err := s.Reader.Get(ctx, client.ObjectKey{Namespace: s.Namespace, Name: DigestKeyName}, &secret)
	if err != nil {
		return digest.Key{}, fmt.Errorf("read the key of the digests: %w", err)
	}
	return decodeDigestKey(&secret)
}

func decodeDigestKey(secret *corev1.Secret) (digest.Key, error) {
	if secret.Labels[LabelDigestKey] != labelTrue || secret.Type != TypeDigestKey {
		return digest.Key{}, fmt.Errorf("secret %s: %w", DigestKeyName, ErrForeign)
	}
	key, ok := digest.NewKey(secret.Data[digestDataKey])
	if !ok {
		return digest.Key{}, fmt.Errorf("secret %s does not hold a key of %d bytes; delete it, a new one is made", DigestKeyName, digest.KeyLen)
	}
	return key, nil
}

// ErrNoDigestKey reports that the key of the digests is not known yet: the controller
// makes it when it starts.
var ErrNoDigestKey = errors.New("the key of the digests is not there yet: the latchkey controller makes it; check that it runs")

// DigestKey follows the Secret that the controller made, for the process that only
// reads it. If the Secret is deleted, the key stays known: the controller has it in
// memory, too. Its zero value is ready to use and has none.
type DigestKey struct{ current atomic.Pointer[digest.Key] }

// Key returns the key, or ErrNoDigestKey.
func (k *DigestKey) Key() (digest.Key, error) {
	current := k.current.Load()
	if current == nil {
		return digest.Key{}, ErrNoDigestKey
	}
	return *current, nil
}

// Watch updates k with the Secret in namespace, as seen through c.
func (k *DigestKey) Watch(ctx context.Context, c cache.Cache, namespace string) error {
	logger := log.FromContext(ctx).WithName("keyring")
	return watch.Objects(ctx, c, &corev1.Secret{}, func(secret *corev1.Secret) {
		if secret.Namespace != namespace || secret.Name != DigestKeyName {
			return
		}
		key, err := decodeDigestKey(secret)
		if err != nil {
			logger.Error(err, "Key of the digests is unusable", "secret", secret.Name)
			return
		}
		k.current.Store(&key)
	}, nil)
}
