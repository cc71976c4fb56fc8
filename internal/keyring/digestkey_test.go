// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package keyring

import (
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache/informertest"

	"github.com/latchkey-dev/latchkey/internal/digest"
)

func TestEnsureDigestKeyReadsTheOneThereIs(t *testing.T) {
	secret := func(key string, change func(*corev1.Secret)) corev1.Secret {
		s := corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: "latchkey-digest-key", Namespace: ourNamespace, Labels: map[string]string{LabelDigestKey: "true"}},
			Type:       TypeDigestKey,
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
			got, err := readOnly(answers{secrets: []corev1.Secret{tc.secret}}).EnsureDigestKey(t.Context())
			if (err != nil) != tc.wantErr || tc.wantIs != nil && !errors.Is(err, tc.wantIs) {
				t.Fatalf("EnsureDigestKey() = %v, want an error: %v", err, tc.wantErr)
			}
			want, _ := digest.NewKey([]byte(key))
			if err == nil && got.Sum(digest.PurposeBundle, "x") != want.Sum(digest.PurposeBundle, "x") {
				t.Error("returned another key")
			}
			if err != nil && strings.Contains(err.Error(), "canary") {
				t.Error("the error holds the key")
			}
		})
	}
}

func TestDigestKey_FollowsTheSecret_AndKeepsWhatItKnows(t *testing.T) {
	secret := func(fill string, change func(*corev1.Secret)) *corev1.Secret {
		s := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: DigestKeyName, Namespace: ourNamespace, Labels: map[string]string{LabelDigestKey: "true"}},
			Type:       TypeDigestKey,
			Data:       map[string][]byte{"key": []byte(strings.Repeat(fill, digest.KeyLen))},
		}
		if change != nil {
			change(s)
		}
		return s
	}
	c := &informertest.FakeInformers{}
	informer, err := c.FakeInformerFor(t.Context(), &corev1.Secret{})
	if err != nil {
		t.Fatal(err)
	}
	var k DigestKey
	if err := k.Watch(t.Context(), c, ourNamespace); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Key(); !errors.Is(err, ErrNoDigestKey) {
		t.Errorf("before there is any: %v, want ErrNoDigestKey", err)
	}
	known := func() string {
		key, err := k.Key()
		if err != nil {
			return ""
		}
		return key.Sum(digest.PurposeApproval, "n")
	}
	informer.Add(secret("x", func(s *corev1.Secret) { s.Namespace = "alice" }))
	informer.Add(secret("x", func(s *corev1.Secret) { s.Name = "other" }))
	informer.Add(secret("x", func(s *corev1.Secret) { s.Type = "Opaque" }))
	if known() != "" {
		t.Error("a Secret that is not the one is taken for it")
	}
	informer.Add(secret("a", nil))
	first := known()
	if first == "" {
		t.Fatal("the key is not known")
	}
	informer.Update(secret("a", nil), secret("a", func(s *corev1.Secret) { s.Data = nil }))
	informer.Delete(secret("a", nil))
	if known() != first {
		t.Error("a key that cannot be read, or goes, is forgotten")
	}
	informer.Add(secret("b", nil))
	if known() == first {
		t.Error("its successor is not taken")
	}
}
