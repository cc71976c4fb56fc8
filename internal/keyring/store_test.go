// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package keyring

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
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

// recorder is a client that takes every Secret it is given.
type recorder struct {
	client.Client
	created []*corev1.Secret
}

func (r *recorder) Create(_ context.Context, obj client.Object, _ ...client.CreateOption) error {
	r.created = append(r.created, obj.(*corev1.Secret))
	return nil
}

func TestACreatedKeyIsTheNewest(t *testing.T) {
	last := newKey(t, epoch)
	for name, now := range map[string]time.Time{
		"a clock that is ahead":        epoch.Add(time.Hour),
		"a clock that stands still":    epoch,
		"a clock that went back":       epoch.Add(-time.Hour),
		"a clock that was never wound": {},
	} {
		t.Run(name, func(t *testing.T) {
			writer := &recorder{}
			store := &Store{Reader: answers{secrets: []corev1.Secret{*EncodeSecret(last, ourNamespace)}}, Writer: writer, Namespace: ourNamespace}
			key, err := store.Create(t.Context(), now)
			if err != nil {
				t.Fatal(err)
			}
			if len(writer.created) != 1 {
				t.Fatalf("%d secrets stored, want 1", len(writer.created))
			}
			stored, err := DecodeSecret(writer.created[0])
			if err != nil {
				t.Fatal(err)
			}
			if stored.ID != key.ID || !stored.Created.Equal(key.Created) {
				t.Errorf("stored key %s of %s, returned %s of %s", stored.ID, stored.Created, key.ID, key.Created)
			}
			if compareAge(stored, last) <= 0 || stored.Created.Before(now) {
				t.Errorf("created is %s, want after %s and not before %s", stored.Created, last.Created, now)
			}
		})
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
