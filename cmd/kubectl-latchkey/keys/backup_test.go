// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package keys

import (
	"bytes"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
	"github.com/latchkey-dev/latchkey/internal/seal/sealtest"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// keyOf returns the Secret of a new key. Its private half is none, and nothing looks.
func keyOf(t *testing.T, created time.Time) *corev1.Secret {
	t.Helper()
	public, _ := sealtest.NewKey(t)
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name: v1alpha1.SealingKeyPrefix + public.ID(), Namespace: "latchkey-system", UID: "1", ResourceVersion: "2",
			Labels: map[string]string{v1alpha1.LabelSealingKey: "true", "x": "y"},
			Annotations: map[string]string{
				v1alpha1.AnnotationCreated: created.Format(time.RFC3339Nano), v1alpha1.AnnotationRotateRequested: "2030-01-01T00:00:00Z", "a": "b",
			},
		},
		Type: v1alpha1.SecretTypeSealingKey,
		Data: map[string][]byte{dataPrivate: []byte("private-canary-1"), dataPublic: public.Bytes(), "more": []byte("x")},
	}
}

func TestKeySecret_AKey_KeepsWhatMakesItOneAndNothingElse(t *testing.T) {
	s := keyOf(t, epoch)
	kept, err := keySecret(s, "elsewhere")
	if err != nil {
		t.Fatal(err)
	}
	if len(kept.Labels) != 1 || len(kept.Annotations) != 1 || len(kept.Data) != 2 || kept.UID != "" || kept.ResourceVersion != "" ||
		kept.Namespace != "elsewhere" || kept.Immutable == nil || !*kept.Immutable || createdOf(kept) != epoch {
		t.Errorf("kept is %v", kept.ObjectMeta)
	}
}

func TestKeySecret_WhatIsNoKey_IsRefused(t *testing.T) {
	other := keyOf(t, epoch)
	for name, spoil := range map[string]func(*corev1.Secret){
		"another name":         func(s *corev1.Secret) { s.Name = "cluster-admin-token" },
		"another key's name":   func(s *corev1.Secret) { s.Name = other.Name },
		"another type":         func(s *corev1.Secret) { s.Type = corev1.SecretTypeServiceAccountToken },
		"no label":             func(s *corev1.Secret) { s.Labels = nil },
		"no time":              func(s *corev1.Secret) { s.Annotations = nil },
		"no private half":      func(s *corev1.Secret) { delete(s.Data, dataPrivate) },
		"a public half broken": func(s *corev1.Secret) { s.Data[dataPublic] = []byte("x") },
	} {
		t.Run(name, func(t *testing.T) {
			s := keyOf(t, epoch)
			spoil(s)
			if _, err := keySecret(s, "latchkey-system"); cli.CodeOf(err) != cli.CodeRefused || strings.Contains(err.Error(), "private-canary-1") {
				t.Errorf("keySecret: %v, want it refused", err)
			}
		})
	}
}

func TestNewestOf_WhatWouldSeal_IsKnown(t *testing.T) {
	older, newer := keyOf(t, epoch), keyOf(t, epoch.Add(time.Hour))
	for name, tt := range map[string]struct {
		there []Key
		want  *corev1.Secret
	}{
		"no key is there": {nil, newer},
		"an older one is": {[]Key{{Created: epoch.Add(time.Minute)}}, newer},
		"a newer one is":  {[]Key{{Created: epoch.Add(2 * time.Hour)}}, nil},
		"the very one is": {[]Key{{Created: epoch.Add(time.Hour)}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := newestOf([]*corev1.Secret{newer, older}, tt.there); got != tt.want {
				t.Errorf("newestOf = %v", got)
			}
		})
	}
}

func TestRequestAt_WhateverTheClock_IsLaterThanTheKey(t *testing.T) {
	for _, now := range []time.Time{epoch.Add(-time.Hour), epoch, epoch.Add(time.Nanosecond), epoch.Add(time.Hour)} {
		at, err := time.Parse(time.RFC3339Nano, requestAt(epoch, now))
		if err != nil || !at.After(epoch) {
			t.Errorf("at %s the request is %s, %v", now, at, err)
		}
	}
}

func TestDecrypt_ABackup_OpensWithItsIdentityAloneAndWhole(t *testing.T) {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	plain, err := sigsyaml.Marshal(corev1.SecretList{Items: []corev1.Secret{*keyOf(t, epoch)}})
	if err != nil {
		t.Fatal(err)
	}
	backup, err := encrypt(plain, []age.Recipient{identity.Recipient()})
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(backup, []byte("private")) || !bytes.HasPrefix(backup, []byte("-----BEGIN AGE ENCRYPTED FILE-----\n")) {
		t.Error("the backup is not encrypted")
	}
	all, err := decrypt(bytes.NewReader(backup), strings.NewReader("# mine\n"+identity.String()+"\n"))
	if err != nil || len(all.Items) != 1 || string(all.Items[0].Data[dataPrivate]) != "private-canary-1" {
		t.Fatalf("decrypt: %v", err)
	}
	random := make([]byte, 1000)
	_, _ = rand.Read(random)
	for name, tt := range map[string]struct {
		backup   []byte
		identity string
	}{
		"another identity": {backup, stranger.String()},
		"no identity":      {backup, "x"},
		"cut short":        {append(bytes.Clone(backup[:len(backup)/2]), "\n-----END AGE ENCRYPTED FILE-----\n"...), identity.String()},
		"no backup":        {random, identity.String()},
		"a plain one":      {plain, identity.String()},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := decrypt(bytes.NewReader(tt.backup), strings.NewReader(tt.identity)); cli.CodeOf(err) != cli.CodeRefused || strings.Contains(err.Error(), "private-canary-1") {
				t.Errorf("decrypt: %v, want it refused", err)
			}
		})
	}
}
