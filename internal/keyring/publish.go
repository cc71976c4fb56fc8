// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package keyring

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// PublicKeysName is the name of the ConfigMap with the public keys, for
	// clients that seal by themselves, and with what else they need to know.
	PublicKeysName = "latchkey-public-keys"

	// LabelPublicKeys marks that ConfigMap; its value is "true".
	LabelPublicKeys = "latchkey.dev/public-keys"

	// PublicKeyID is the key of the ConfigMap under which the id of the newest
	// key stands.
	PublicKeyID = "key-id"

	// PublicKeyBase64 is the key under which the newest public key stands, in
	// padded standard base64.
	PublicKeyBase64 = "public.b64"

	// PublicKeysJSON is the key under which all public keys stand, newest
	// first, as a JSON list of PublishedKey.
	PublicKeysJSON = "keys.json"

	// PublicLimitsJSON is the key under which a tenant's limits stand, as the JSON of
	// limits.Limits.
	PublicLimitsJSON = "limits.json"

	// PublicVersion is the key under which the version of Latchkey stands.
	PublicVersion = "version"
)

// PublishedKey is one entry of the published list.
type PublishedKey struct {
	// ID is the id of the key.
	ID string `json:"id"`
	// Created is when the key was made.
	Created time.Time `json:"created"`
	// Public is the public key; in JSON it is padded standard base64.
	Public []byte `json:"public"`
}

// Publish writes the public halves of the keys, the limits and the version to the
// ConfigMap latchkey-public-keys. If it holds them already, nothing is written. A
// ConfigMap of that name which is not ours is left alone ([ErrForeign]).
func (s *Store) Publish(ctx context.Context, infos []KeyInfo) error {
	data, err := s.publishedData(infos)
	if err != nil {
		return err
	}
	var current corev1.ConfigMap
	err = s.Reader.Get(ctx, client.ObjectKey{Namespace: s.Namespace, Name: PublicKeysName}, &current)
	switch {
	case apierrors.IsNotFound(err):
		err = s.Writer.Create(ctx, &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{
				Name:      PublicKeysName,
				Namespace: s.Namespace,
				Labels:    map[string]string{LabelPublicKeys: labelTrue},
			},
			Data: data,
		})
	case err != nil: // Reported below.
	case current.Labels[LabelPublicKeys] != labelTrue && current.Data[PublicKeysJSON] == "":
		err = ErrForeign
	case current.Labels[LabelPublicKeys] == labelTrue && maps.Equal(current.Data, data): // Nothing to write.
	default:
		// With the resource version that was read, so that of two writers at
		// once one starts over.
		current.Data = data
		metav1.SetMetaDataLabel(&current.ObjectMeta, LabelPublicKeys, labelTrue)
		err = s.Writer.Update(ctx, &current)
	}
	if err != nil {
		return fmt.Errorf("publish the public keys in config map %s: %w", PublicKeysName, err)
	}
	return nil
}

func (s *Store) publishedData(infos []KeyInfo) (map[string]string, error) {
	if len(infos) == 0 {
		return nil, ErrNoKey
	}
	ordered := slices.SortedFunc(slices.Values(infos), func(a, b KeyInfo) int {
		return compareAge(Key{ID: b.ID, Created: b.Created}, Key{ID: a.ID, Created: a.Created})
	})
	list := make([]PublishedKey, len(ordered))
	for i, info := range ordered {
		list[i] = PublishedKey{ID: info.ID, Created: info.Created.UTC(), Public: info.Public.Bytes()}
	}
	encoded, err := json.Marshal(list)
	if err != nil {
		return nil, fmt.Errorf("encode the public keys: %w", err)
	}
	limits, err := json.Marshal(s.Limits)
	if err != nil {
		return nil, fmt.Errorf("encode the limits: %w", err)
	}
	return map[string]string{
		PublicKeyID:      list[0].ID,
		PublicKeyBase64:  base64.StdEncoding.EncodeToString(list[0].Public),
		PublicKeysJSON:   string(encoded),
		PublicLimitsJSON: string(limits),
		PublicVersion:    s.Version,
	}, nil
}
