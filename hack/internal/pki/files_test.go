// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package pki

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var start = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// newSet is a set of an authority and a key, in a folder of its own.
func newSet(t *testing.T) Set {
	t.Helper()
	return Set{
		Dir: t.TempDir(), Authority: "ca.crt", Names: []string{"ca.crt", "ca.key"},
		Make: func(now time.Time) (map[string][]byte, error) {
			ca, err := NewAuthority("test", now)
			if err != nil {
				return nil, err
			}
			key, err := ca.KeyPEM()
			return map[string][]byte{"ca.crt": ca.CertificatePEM(), "ca.key": key}, err
		},
	}
}

func TestEnsure(t *testing.T) {
	for name, test := range map[string]struct {
		later time.Duration
		spoil func(t *testing.T, s Set)
		want  bool
	}{
		"a set that is there is kept":               {},
		"a set that is about to expire is replaced": {later: Lifetime - RenewBefore, want: true},
		"a set that lacks a file is replaced": {spoil: func(t *testing.T, s Set) {
			if err := os.Remove(filepath.Join(s.Dir, "ca.key")); err != nil {
				t.Fatal(err)
			}
		}, want: true},
		"a set whose authority is unreadable is replaced": {spoil: func(t *testing.T, s Set) {
			if err := os.WriteFile(filepath.Join(s.Dir, "ca.crt"), []byte("junk"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, want: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSet(t)
			if made, err := s.Ensure(start); err != nil || !made {
				t.Fatalf("first: %t, %v", made, err)
			}
			if test.spoil != nil {
				test.spoil(t, s)
			}
			made, err := s.Ensure(start.Add(test.later))
			if err != nil {
				t.Fatal(err)
			}
			if made != test.want {
				t.Errorf("made a new set: %t, want %t", made, test.want)
			}
			entries, err := filepath.Glob(filepath.Join(s.Dir, "*"))
			if err != nil || len(entries) != len(s.Names) {
				t.Errorf("%d files, %v; want %d", len(entries), err, len(s.Names))
			}
			for _, path := range entries {
				if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
					t.Errorf("%s: %v, %v; want mode 0600", path, info.Mode(), err)
				}
			}
		})
	}
}

func TestEnsureRefusesASetThatIsNotWhole(t *testing.T) {
	s := newSet(t)
	s.Names = append(s.Names, "forgotten.key")
	if _, err := s.Ensure(start); err == nil || !strings.Contains(err.Error(), "forgotten.key") {
		t.Errorf("error %v, want one that names the file", err)
	}
}

func TestKubeconfigHoldsOneWayToAuthenticate(t *testing.T) {
	for name, test := range map[string]struct {
		user         Credential
		want, absent string
	}{
		"a token":              {Credential{Token: "abc"}, "token: abc", "client-key-data"},
		"a client certificate": {Credential{Certificate: []byte("c"), Key: []byte("k")}, "client-key-data: aw==", "token"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Kubeconfig("test", "https://127.0.0.1:1", []byte("ca"), test.user)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(got), test.want) || strings.Contains(string(got), test.absent) {
				t.Errorf("want %q and no %q in:\n%s", test.want, test.absent, got)
			}
		})
	}
}
