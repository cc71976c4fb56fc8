// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package keyring

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const ourNamespace = "latchkey-system"

// shows reports whether out holds a secret in a usual spelling.
func shows(out string, secret []byte) bool {
	for _, spelling := range []string{
		string(secret), hex.EncodeToString(secret), base64.StdEncoding.EncodeToString(secret), strings.Trim(fmt.Sprint(secret), "[]"),
	} {
		if strings.Contains(out, spelling) {
			return true
		}
	}
	return false
}

func TestEncodeSecret(t *testing.T) {
	key := newKey(t, epoch)
	immutable := true
	want := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name:        "latchkey-key-" + key.ID,
			Namespace:   ourNamespace,
			Labels:      map[string]string{"latchkey.dev/sealing-key": "true"},
			Annotations: map[string]string{"latchkey.dev/created": "2026-01-02T03:04:05.000006789Z"},
		},
		Type:      "latchkey.dev/sealing-key",
		Immutable: &immutable,
		Data:      map[string][]byte{"private": key.Private.Bytes(), "public": key.Private.Public().Bytes()},
	}
	if diff := cmp.Diff(want, EncodeSecret(key, ourNamespace)); diff != "" {
		t.Errorf("secret (-want +got):\n%s", diff)
	}
}

func TestDecodeSecretReadsWhatEncodeSecretMade(t *testing.T) {
	for name, created := range map[string]time.Time{
		"a time with nanoseconds":             epoch,
		"a time of whole seconds":             epoch.Truncate(time.Second),
		"a time in another zone":              epoch.In(time.FixedZone("", 3600)),
		"a time with the monotonic clock set": time.Now(),
	} {
		t.Run(name, func(t *testing.T) {
			key := newKey(t, created)
			got, err := DecodeSecret(EncodeSecret(key, ourNamespace))
			if err != nil {
				t.Fatal(err)
			}
			if got.ID != key.ID || got.Created != key.Created || got.Private.ID() != key.ID {
				t.Errorf("decoded key %s of %s, want %s of %s", got.ID, got.Created, key.ID, key.Created)
			}
			ring := NewRing(nil)
			ring.Replace([]Key{got})
			wantOpens(t, ring, sealWith(t, key, "v"), "v")
		})
	}
}

func TestDecodeSecret_RotateRequested_CountsAfterTheKeyWasMade(t *testing.T) {
	key := newKey(t, epoch.Add(500*time.Millisecond))
	for text, want := range map[string]bool{
		epoch.Add(time.Second).Format(time.RFC3339):                              true,
		epoch.Add(time.Hour).Format(time.RFC3339Nano):                            true,
		key.Created.Add(1).Format(time.RFC3339Nano):                              true,
		key.Created.Format(time.RFC3339Nano):                                     false,
		epoch.Format(time.RFC3339):                                               false,
		epoch.Add(-time.Hour).Format(time.RFC3339):                               false,
		epoch.Add(time.Hour).In(time.FixedZone("", 2*3600)).Format(time.RFC3339): true,
		"now":  false,
		"true": false,
		"":     false,
	} {
		t.Run(text, func(t *testing.T) {
			secret := EncodeSecret(key, ourNamespace)
			secret.Annotations[AnnotationRotateRequested] = text
			got, err := DecodeSecret(secret)
			if err != nil {
				t.Fatalf("the key is not usable any more: %v", err)
			}
			if got.WantsSuccessor() != want {
				t.Errorf("wants a successor: %t, want %t", got.WantsSuccessor(), want)
			}
		})
	}
	if key.WantsSuccessor() {
		t.Error("a key of which nobody asked anything wants a successor")
	}
}

func TestDecodeSecretRefuses(t *testing.T) {
	key, other := newKey(t, epoch), newKey(t, epoch)
	for name, spoil := range map[string]func(*corev1.Secret){
		"a secret without the label":               func(s *corev1.Secret) { s.Labels = nil },
		"a secret with another value of the label": func(s *corev1.Secret) { s.Labels[LabelSealingKey] = "false" },
		"a secret of another type":                 func(s *corev1.Secret) { s.Type = corev1.SecretTypeOpaque },
		"a secret without a time":                  func(s *corev1.Secret) { s.Annotations = nil },
		"a secret with no proper time":             func(s *corev1.Secret) { s.Annotations[AnnotationCreated] = "yesterday" },
		"a secret without data":                    func(s *corev1.Secret) { s.Data = nil },
		"a secret without a private key":           func(s *corev1.Secret) { delete(s.Data, "private") },
		"a private key that is cut short":          func(s *corev1.Secret) { s.Data["private"] = s.Data["private"][1:] },
		"a secret without a public key":            func(s *corev1.Secret) { delete(s.Data, "public") },
		"the public key of another key":            func(s *corev1.Secret) { s.Data["public"] = other.Private.Public().Bytes() },
		"the private key of another key":           func(s *corev1.Secret) { s.Data["private"] = other.Private.Bytes() },
		"another key under this name": func(s *corev1.Secret) {
			s.Data["private"], s.Data["public"] = other.Private.Bytes(), other.Private.Public().Bytes()
		},
		"a name without an id": func(s *corev1.Secret) { s.Name = "latchkey-key-" },
		"another name":         func(s *corev1.Secret) { s.Name = "key-" + key.ID },
		"an empty secret":      func(s *corev1.Secret) { *s = corev1.Secret{} },
	} {
		t.Run(name, func(t *testing.T) {
			secret := EncodeSecret(key, ourNamespace)
			spoil(secret)
			_, err := DecodeSecret(secret)
			if !errors.Is(err, ErrBrokenKey) {
				t.Fatalf("DecodeSecret() = %v, want ErrBrokenKey", err)
			}
			if shows(err.Error(), key.Private.Bytes()) || shows(err.Error(), other.Private.Bytes()) {
				t.Error("the error holds a private key")
			}
		})
	}
}

func TestKeysPrintNoPrivateHalf(t *testing.T) {
	key := newKey(t, epoch)
	for _, out := range []string{fmt.Sprint(key), fmt.Sprintf("%+v", []Key{key}), fmt.Sprintf("%#v", key), fmt.Sprintf("%x", &key)} {
		if shows(out, key.Private.Bytes()) {
			t.Errorf("a key prints as %s", out)
		}
	}
}
