// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package keyring

import (
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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
