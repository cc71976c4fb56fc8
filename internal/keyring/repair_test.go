// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package keyring

import (
	"bytes"
	"errors"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/latchkey-dev/latchkey/internal/digest"
)

func TestPutBackDigestKey_SecretIsNotAsItWas_IsTheSameKeyAgain(t *testing.T) {
	ours, _ := digest.NewKey(bytes.Repeat([]byte{1}, digest.KeyLen))
	for name, tc := range map[string]struct {
		there   func(*corev1.Secret) *corev1.Secret
		wantErr error
	}{
		"it is gone":      {there: func(*corev1.Secret) *corev1.Secret { return nil }},
		"it is as it was": {there: func(s *corev1.Secret) *corev1.Secret { return s }},
		"its label is gone": {there: func(s *corev1.Secret) *corev1.Secret {
			s.Labels = map[string]string{"theirs": "stays"}
			return s
		}},
		"it holds another key": {there: func(s *corev1.Secret) *corev1.Secret {
			s.Data["key"] = bytes.Repeat([]byte{2}, digest.KeyLen)
			return s
		}},
		"it holds no key": {there: func(s *corev1.Secret) *corev1.Secret {
			s.Data = nil
			return s
		}},
		"another's Secret has its name": {wantErr: ErrForeign, there: func(s *corev1.Secret) *corev1.Secret {
			s.Type = corev1.SecretTypeOpaque
			return s
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b := fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme)
			store := &Store{Namespace: ourNamespace}
			if there := tc.there(store.digestSecret(ours)); there != nil {
				b = b.WithObjects(there)
			}
			c := b.Build()
			store.Reader, store.Writer = c, c
			if err := store.PutBackDigestKey(t.Context(), ours); !errors.Is(err, tc.wantErr) {
				t.Fatalf("PutBackDigestKey() = %v, want %v", err, tc.wantErr)
			}
			if tc.wantErr != nil {
				return
			}
			got, err := store.readDigestKey(t.Context())
			if err != nil || !bytes.Equal(got.Bytes(), ours.Bytes()) {
				t.Errorf("the key that stands there is another (%v)", err)
			}
		})
	}
}

func TestPublish_LabelWasRemoved_IsPutBack(t *testing.T) {
	a := newKey(t, epoch)
	c := fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).Build()
	store := &Store{Reader: c, Writer: c, Namespace: ourNamespace}
	publish := func() *corev1.ConfigMap {
		t.Helper()
		if err := store.Publish(t.Context(), []KeyInfo{a.Info()}); err != nil {
			t.Fatal(err)
		}
		published := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ourNamespace, Name: PublicKeysName}}
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(published), published); err != nil {
			t.Fatal(err)
		}
		return published
	}
	published := publish()
	want := maps.Clone(published.Labels)
	published.Labels = nil
	if err := c.Update(t.Context(), published); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, publish().Labels); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
}
