// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package keyring

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/internal/seal"
)

// What needs an API server is tested against one, in test/integration. Here is
// what a Store makes of answers.

// answers is a client.Reader that gives fixed answers.
type answers struct {
	secrets   []corev1.Secret
	configMap *corev1.ConfigMap
	err       error
}

func (a answers) List(_ context.Context, list client.ObjectList, opts ...client.ListOption) error {
	var o client.ListOptions
	o.ApplyOptions(opts)
	if o.Namespace != ourNamespace || o.LabelSelector == nil || o.LabelSelector.String() != "latchkey.dev/sealing-key=true" {
		return errors.New("listed more than the keys")
	}
	list.(*corev1.SecretList).Items = a.secrets
	return a.err
}

func (a answers) Get(_ context.Context, key client.ObjectKey, obj client.Object, _ ...client.GetOption) error {
	notFound := apierrors.NewNotFound(schema.GroupResource{}, key.Name)
	switch obj := obj.(type) {
	case *corev1.Secret:
		for _, secret := range a.secrets {
			if client.ObjectKeyFromObject(&secret) == key {
				*obj = secret
				return a.err
			}
		}
	case *corev1.ConfigMap:
		if a.configMap != nil && client.ObjectKeyFromObject(a.configMap) == key {
			*obj = *a.configMap
			return a.err
		}
	}
	return errors.Join(a.err, notFound)
}

// readOnly is a Store whose every write panics.
func readOnly(a answers) *Store {
	return &Store{Reader: a, Writer: struct{ client.Client }{}, Namespace: ourNamespace}
}

func TestLoad(t *testing.T) {
	a, b := newKey(t, epoch), newKey(t, epoch.Add(time.Hour))
	good := func(key Key) corev1.Secret { return *EncodeSecret(key, ourNamespace) }
	broken := good(newKey(t, epoch))
	broken.Data = nil
	for name, tc := range map[string]struct {
		secrets    []corev1.Secret
		want       []string
		wantBroken bool
	}{
		"no keys":                            {},
		"keys come newest first":             {secrets: []corev1.Secret{good(a), good(b)}, want: []string{b.ID, a.ID}},
		"a broken key does not hide another": {secrets: []corev1.Secret{broken, good(a)}, want: []string{a.ID}, wantBroken: true},
		"only a broken key":                  {secrets: []corev1.Secret{broken}, wantBroken: true},
	} {
		t.Run(name, func(t *testing.T) {
			store := readOnly(answers{secrets: tc.secrets})
			keys, err := store.Load(t.Context())
			if errors.Is(err, ErrBrokenKey) != tc.wantBroken || (err != nil) != tc.wantBroken {
				t.Errorf("Load() = %v, want broken keys: %v", err, tc.wantBroken)
			}
			if tc.wantBroken && !strings.Contains(err.Error(), broken.Name) {
				t.Errorf("Load() = %v does not name %s", err, broken.Name)
			}
			var got []string
			for _, key := range keys {
				got = append(got, key.ID)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("keys (-want +got):\n%s", diff)
			}
			ring := NewRing(nil)
			if err := store.LoadInto(t.Context(), ring); (err != nil) != tc.wantBroken || len(ring.Infos()) != len(tc.want) {
				t.Errorf("LoadInto() = %v with %d keys, want %d", err, len(ring.Infos()), len(tc.want))
			}
		})
	}
}

func TestAFailedListLeavesTheRingAlone(t *testing.T) {
	down := errors.New("connection refused")
	store := readOnly(answers{err: down})
	ring := NewRing(nil)
	ring.Replace([]Key{newKey(t, epoch)})
	if err := store.LoadInto(t.Context(), ring); !errors.Is(err, down) || errors.Is(err, ErrBrokenKey) {
		t.Errorf("LoadInto() = %v, want %v", err, down)
	}
	if err := ring.Ready(); err != nil {
		t.Errorf("the ring lost its keys: %v", err)
	}
	if _, err := store.Create(t.Context(), epoch); !errors.Is(err, down) {
		t.Errorf("Create() = %v, want that it made no key", err)
	}
	if _, err := store.EnsureFirst(t.Context(), epoch); !errors.Is(err, down) {
		t.Errorf("EnsureFirst() = %v, want that it made no key", err)
	}
}

func TestEnsureFirstCreatesNoSecondKey(t *testing.T) {
	key := newKey(t, epoch)
	good := EncodeSecret(key, ourNamespace)
	broken := EncodeSecret(newKey(t, epoch), ourNamespace)
	broken.Data = nil

	keys, err := readOnly(answers{secrets: []corev1.Secret{*good}}).EnsureFirst(t.Context(), epoch)
	if err != nil || len(keys) != 1 || keys[0].ID != key.ID {
		t.Errorf("EnsureFirst() = %d keys, %v, want the one there is", len(keys), err)
	}
	keys, err = readOnly(answers{secrets: []corev1.Secret{*good, *broken}}).EnsureFirst(t.Context(), epoch)
	if err != nil || len(keys) != 1 {
		t.Errorf("EnsureFirst() = %d keys, %v, want the one that is not broken", len(keys), err)
	}
	if _, err = readOnly(answers{secrets: []corev1.Secret{*broken}}).EnsureFirst(t.Context(), epoch); !errors.Is(err, ErrBrokenKey) {
		t.Errorf("EnsureFirst() = %v, want ErrBrokenKey and no key made beside it", err)
	}
}

func TestDeleteRefusesTheKeyThatSeals(t *testing.T) {
	a, b := newKey(t, epoch), newKey(t, epoch.Add(time.Hour))
	secrets := []corev1.Secret{*EncodeSecret(a, ourNamespace), *EncodeSecret(b, ourNamespace)}
	if err := readOnly(answers{secrets: secrets}).Delete(t.Context(), b.ID); !errors.Is(err, ErrNewestKey) {
		t.Errorf("Delete() of the newest key = %v, want ErrNewestKey", err)
	}
	if err := readOnly(answers{secrets: secrets[:1]}).Delete(t.Context(), a.ID); !errors.Is(err, ErrNewestKey) {
		t.Errorf("Delete() of the only key = %v, want ErrNewestKey", err)
	}
	if err := readOnly(answers{}).Delete(t.Context(), a.ID); !errors.Is(err, ErrNewestKey) {
		t.Errorf("Delete() when no key can be read = %v, want ErrNewestKey", err)
	}
	if err := readOnly(answers{secrets: secrets[1:]}).Delete(t.Context(), a.ID); err != nil {
		t.Errorf("Delete() of a key that is gone = %v", err)
	}
	foreign := *EncodeSecret(a, ourNamespace)
	foreign.Labels = nil
	if err := readOnly(answers{secrets: []corev1.Secret{secrets[1], foreign}}).Delete(t.Context(), a.ID); !errors.Is(err, ErrForeign) {
		t.Errorf("Delete() of a foreign secret = %v, want ErrForeign", err)
	}
}

func TestPublishWritesNothingThatIsThere(t *testing.T) {
	a, b := newKey(t, epoch), newKey(t, epoch.Add(time.Hour))
	data, err := publishedData([]KeyInfo{a.Info(), b.Info()})
	if err != nil {
		t.Fatal(err)
	}
	published := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: PublicKeysName, Namespace: ourNamespace, Labels: map[string]string{LabelPublicKeys: "true"}},
		Data:       data,
	}
	// In the other order: what is published does not depend on it.
	if err := readOnly(answers{configMap: published}).Publish(t.Context(), []KeyInfo{b.Info(), a.Info()}); err != nil {
		t.Errorf("Publish() = %v", err)
	}
	published.Labels = nil
	if err := readOnly(answers{configMap: published}).Publish(t.Context(), []KeyInfo{a.Info()}); !errors.Is(err, ErrForeign) {
		t.Errorf("Publish() over a foreign config map = %v, want ErrForeign", err)
	}
	if err := readOnly(answers{}).Publish(t.Context(), nil); !errors.Is(err, ErrNoKey) {
		t.Errorf("Publish() of no keys = %v, want ErrNoKey", err)
	}
}

func TestPublishedData(t *testing.T) {
	a, b := newKey(t, epoch), newKey(t, epoch.Add(time.Hour))
	data, err := publishedData([]KeyInfo{a.Info(), b.Info()})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(data["public.b64"])
	if err != nil {
		t.Fatal(err)
	}
	public, err := seal.ParsePublicKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	if public.ID() != b.ID || data["key-id"] != b.ID {
		t.Errorf("published key %s under the id %s, want the newest, %s", public.ID(), data["key-id"], b.ID)
	}
	var list []PublishedKey
	if err := json.Unmarshal([]byte(data["keys.json"]), &list); err != nil {
		t.Fatal(err)
	}
	want := []PublishedKey{
		{ID: b.ID, Created: b.Created, Public: b.Private.Public().Bytes()},
		{ID: a.ID, Created: a.Created, Public: a.Private.Public().Bytes()},
	}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Errorf("keys.json (-want +got):\n%s", diff)
	}
	for _, value := range data {
		if shows(value, a.Private.Bytes()) || shows(value, b.Private.Bytes()) {
			t.Error("a private key is published")
		}
	}
}

func TestEnsureMACKeyReadsTheOneThereIs(t *testing.T) {
	secret := func(key string, change func(*corev1.Secret)) corev1.Secret {
		s := corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: "latchkey-bundle-mac", Namespace: ourNamespace, Labels: map[string]string{LabelBundleMAC: "true"}},
			Type:       TypeBundleMAC,
			Data:       map[string][]byte{"key": []byte(key)},
		}
		if change != nil {
			change(&s)
		}
		return s
	}
	key := strings.Repeat("canary-8", 4)
	for name, tc := range map[string]struct {
		secret  corev1.Secret
		wantErr bool
		wantIs  error
	}{
		"a key of 32 bytes is returned":     {secret: secret(key, nil)},
		"a key of 31 bytes is refused":      {secret: secret(key[1:], nil), wantErr: true},
		"a secret without a key is refused": {secret: secret(key, func(s *corev1.Secret) { s.Data = nil }), wantErr: true},
		"a secret without label is foreign": {secret: secret(key, func(s *corev1.Secret) { s.Labels = nil }), wantErr: true, wantIs: ErrForeign},
		"a secret of another type is too":   {secret: secret(key, func(s *corev1.Secret) { s.Type = "Opaque" }), wantErr: true, wantIs: ErrForeign},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := readOnly(answers{secrets: []corev1.Secret{tc.secret}}).EnsureMACKey(t.Context())
			if (err != nil) != tc.wantErr || tc.wantIs != nil && !errors.Is(err, tc.wantIs) {
				t.Fatalf("EnsureMACKey() = %v, want an error: %v", err, tc.wantErr)
			}
			if err == nil && string(got) != key {
				t.Error("returned another key")
			}
			if err != nil && strings.Contains(err.Error(), "canary") {
				t.Error("the error holds the key")
			}
		})
	}
}
