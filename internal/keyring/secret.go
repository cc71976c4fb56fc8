// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package keyring

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/seal/unseal"
)

const (
	// LabelSealingKey marks the Secrets that hold sealing keys; its value is "true".
	LabelSealingKey = v1alpha1.LabelSealingKey

	// TypeSealingKey is the type of those Secrets.
	TypeSealingKey corev1.SecretType = v1alpha1.SecretTypeSealingKey

	// AnnotationCreated is when a key was made.
	AnnotationCreated = v1alpha1.AnnotationCreated

	// AnnotationRotateRequested asks for a successor of the newest key.
	AnnotationRotateRequested = v1alpha1.AnnotationRotateRequested

	labelTrue = "true"

	secretNamePrefix = v1alpha1.SealingKeyPrefix
	dataPrivate      = "private"
	dataPublic       = "public"
)

// secretName returns the name of the Secret that holds the key id.
func secretName(id string) string { return secretNamePrefix + id }

// EncodeSecret returns the Secret that holds k. It is immutable: a key is never
// changed, only deleted, and the API server refuses an accident.
func EncodeSecret(k Key, namespace string) *corev1.Secret {
	immutable := true
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name:        secretName(k.ID),
			Namespace:   namespace,
			Labels:      map[string]string{LabelSealingKey: labelTrue},
			Annotations: map[string]string{AnnotationCreated: k.Created.UTC().Format(time.RFC3339Nano)},
		},
		Type:      TypeSealingKey,
		Immutable: &immutable,
		Data: map[string][]byte{
			dataPrivate: k.Private.Bytes(),
			dataPublic:  k.Private.Public().Bytes(),
		},
	}
}

// DecodeSecret decodes the Secret that EncodeSecret made. It accepts a Secret only if
// the name, the public and the private half belong to one key. So a mixed-up restore is
// reported, instead of sealing values that cannot be opened. Its errors wrap
// [ErrBrokenKey] and contain no data.
func DecodeSecret(s *corev1.Secret) (Key, error) {
	broken := func(what string) (Key, error) {
		return Key{}, fmt.Errorf("secret %s/%s: %s: %w", s.Namespace, s.Name, what, ErrBrokenKey)
	}
	if s.Labels[LabelSealingKey] != labelTrue || s.Type != TypeSealingKey {
		return broken("neither labelled nor typed as a sealing key, or only one of them")
	}
	created, err := time.Parse(time.RFC3339Nano, s.Annotations[AnnotationCreated])
	if err != nil {
		return broken("annotation " + AnnotationCreated + " is not a time in RFC 3339")
	}
	private, err := unseal.Parse(s.Data[dataPrivate])
	if err != nil {
		return broken("data has no private key")
	}
	if !bytes.Equal(s.Data[dataPublic], private.Public().Bytes()) {
		return broken("the public key does not belong to the private key")
	}
	if s.Name != secretName(private.ID()) {
		return broken("the name does not belong to the key")
	}
	// An invalid request is ignored: the key itself is valid.
	requested, _ := rotateRequested(s)
	return Key{ID: private.ID(), Created: created.UTC(), RotateRequested: requested, Private: private}, nil
}

// rotateRequested returns when a successor of the key was requested; zero for never.
func rotateRequested(s *corev1.Secret) (time.Time, error) {
	text, has := s.Annotations[AnnotationRotateRequested]
	if !has {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}, errors.New("annotation " + AnnotationRotateRequested + " is not a time in RFC 3339")
	}
	return at.UTC(), nil
}
