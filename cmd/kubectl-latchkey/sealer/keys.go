// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package sealer checks objects of manifests by the rules of admission, and seals their
// values with a published key. It is pure, knows only the public half of sealing, and its
// errors quote no value.
package sealer

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"

	corev1 "k8s.io/api/core/v1"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/latchkey-dev/latchkey/internal/seal"
)

// Keys of the ConfigMap latchkey-public-keys.
const (
	publicBase64 = "public.b64"
	keysJSON     = "keys.json"
)

// Keys are published keys.
type Keys struct {
	// Newest is the one that seals.
	Newest *seal.PublicKey
	// IDs are the ids of all that are known, the newest first.
	IDs []string
}

// ErrKeys says that a text holds no published keys.
var ErrKeys = errors.New("no published keys: expected ConfigMap latchkey-public-keys as YAML or JSON, its keys.json, or its public.b64")

// ParseKeys reads published keys: the ConfigMap, or an entry of it.
func ParseKeys(text []byte) (Keys, error) {
	trimmed := strings.TrimSpace(string(text))
	if strings.HasPrefix(trimmed, "[") {
		return fromList([]byte(trimmed))
	}
	if raw, err := base64.StdEncoding.DecodeString(trimmed); err == nil {
		return fromPublic(raw)
	}
	published := &corev1.ConfigMap{}
	if sigsyaml.Unmarshal(text, published) != nil {
		return Keys{}, ErrKeys
	}
	return KeysOf(published.Data)
}

// KeysOf reads the data of ConfigMap latchkey-public-keys.
func KeysOf(data map[string]string) (Keys, error) {
	if list, has := data[keysJSON]; has {
		return fromList([]byte(list))
	}
	raw, err := base64.StdEncoding.DecodeString(data[publicBase64])
	if err != nil || len(raw) == 0 {
		return Keys{}, ErrKeys
	}
	return fromPublic(raw)
}

func fromPublic(raw []byte) (Keys, error) {
	public, err := seal.ParsePublicKey(raw)
	if err != nil {
		return Keys{}, ErrKeys
	}
	return Keys{Newest: public, IDs: []string{public.ID()}}, nil
}

// fromList reads keys.json, whose first entry is the newest.
func fromList(text []byte) (Keys, error) {
	var list []struct {
		Public []byte `json:"public"`
	}
	if json.Unmarshal(text, &list) != nil || len(list) == 0 {
		return Keys{}, ErrKeys
	}
	var keys Keys
	for _, entry := range list {
		public, err := seal.ParsePublicKey(entry.Public)
		if err != nil {
			return Keys{}, ErrKeys
		}
		if keys.Newest == nil {
			keys.Newest = public
		}
		keys.IDs = append(keys.IDs, public.ID())
	}
	return keys, nil
}
