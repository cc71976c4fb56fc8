// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package keyring

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache/informertest"
)

func TestTheRingFollowsTheSecrets(t *testing.T) {
	a, b := newKey(t, epoch), newKey(t, epoch.Add(time.Hour))
	secret := func(key Key, change func(*corev1.Secret)) *corev1.Secret {
		s := EncodeSecret(key, ourNamespace)
		s.ResourceVersion = "1"
		if change != nil {
			change(s)
			s.ResourceVersion = "2"
		}
		return s
	}
	unlabelled := func(s *corev1.Secret) { s.Labels = nil }
	undated := func(s *corev1.Secret) { s.Annotations = nil }
	asked := func(s *corev1.Secret) { s.Annotations[AnnotationRotateRequested] = "now" }
	foreign := func(s *corev1.Secret) { s.Namespace = "alice" }

	for name, tc := range map[string]struct {
		events  func(*tracker)
		want    []string
		wantLog bool
	}{
		"keys of the first list are known": {
			events: func(t *tracker) { t.observe(secret(a, nil)); t.observe(secret(b, nil)) },
			want:   []string{b.ID, a.ID},
		},
		"a key that is added later seals": {
			events: func(t *tracker) { t.observe(secret(a, nil)); t.observe(secret(b, nil)) },
			want:   []string{b.ID, a.ID},
		},
		"a key that is deleted is gone": {
			events: func(t *tracker) {
				t.observe(secret(a, nil))
				t.observe(secret(b, nil))
				t.forget(secret(a, nil))
			},
			want: []string{b.ID},
		},
		"a key in a tenant's namespace is never ours": {
			events: func(t *tracker) { t.observe(secret(a, nil)); t.observe(secret(b, foreign)) },
			want:   []string{a.ID},
		},
		"a deletion in a tenant's namespace deletes nothing of ours": {
			events: func(t *tracker) { t.observe(secret(a, nil)); t.forget(secret(a, foreign)) },
			want:   []string{a.ID},
		},
		"a secret without the label is not looked at": {
			events: func(t *tracker) { t.observe(secret(a, nil)); t.observe(secret(b, unlabelled)) },
			want:   []string{a.ID},
		},
		"a key that loses its label is gone": {
			events: func(t *tracker) { t.observe(secret(a, nil)); t.observe(secret(a, unlabelled)) },
		},
		"a broken key is reported and does not hide the others": {
			events:  func(t *tracker) { t.observe(secret(b, undated)); t.observe(secret(a, nil)) },
			want:    []string{a.ID},
			wantLog: true,
		},
		"a key that breaks is gone": {
			events: func(t *tracker) {
				t.observe(secret(a, nil))
				t.observe(secret(b, nil))
				t.observe(secret(b, undated))
			},
			want:    []string{a.ID},
			wantLog: true,
		},
		"a request for a rotation that cannot be read is reported, and the key stays": {
			events:  func(t *tracker) { t.observe(secret(a, asked)) },
			want:    []string{a.ID},
			wantLog: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var log strings.Builder
			logger := funcr.New(func(prefix, args string) { log.WriteString(prefix + args + "\n") }, funcr.Options{})
			ring := NewRing(nil)
			tc.events(newTracker(logger, ourNamespace, ring))
			var got []string
			for _, info := range ring.Infos() {
				got = append(got, info.ID)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("keys (-want +got):\n%s", diff)
			}
			if got := log.Len() > 0; got != tc.wantLog {
				t.Errorf("logged: %v, want %v: %s", got, tc.wantLog, log.String())
			}
			if shows(log.String(), a.Private.Bytes()) || shows(log.String(), b.Private.Bytes()) {
				t.Error("the log holds a private key")
			}
		})
	}
}

func TestALaggingWatchDoesNotTakeAwayWhatWasLearnt(t *testing.T) {
	a, b := newKey(t, epoch), newKey(t, epoch.Add(time.Hour))
	ring := NewRing(nil)
	ring.Learn([]Key{a, b})
	newTracker(funcr.New(func(_, _ string) {}, funcr.Options{}), ourNamespace, ring).observe(EncodeSecret(a, ourNamespace))
	if got := ring.NewestID(); got != b.ID {
		t.Errorf("NewestID() = %q, want %q", got, b.ID)
	}
}

func TestWatchRegistersWithTheCache(t *testing.T) {
	informers := &informertest.FakeInformers{}
	ring := NewRing(nil)
	if err := Watch(t.Context(), informers, ourNamespace, ring); err != nil {
		t.Fatal(err)
	}
	informer, err := informers.FakeInformerFor(t.Context(), &corev1.Secret{})
	if err != nil {
		t.Fatal(err)
	}
	key := newKey(t, epoch)
	informer.Add(EncodeSecret(key, ourNamespace))
	if got := ring.NewestID(); got != key.ID {
		t.Errorf("NewestID() = %q, want %q", got, key.ID)
	}

	informers.Error = errors.New("no informer")
	if err := Watch(t.Context(), informers, ourNamespace, ring); !errors.Is(err, informers.Error) {
		t.Errorf("Watch() = %v, want %v", err, informers.Error)
	}
}
