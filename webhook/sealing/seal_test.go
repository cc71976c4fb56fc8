// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package sealing

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/latchkey-dev/latchkey/internal/binding"
	"github.com/latchkey-dev/latchkey/internal/keyring"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

// canary is a value that no answer may show.
const canary = "canary-31b8"

var (
	object = seal.Context{Kind: "UserSecret", Namespace: "alice", Name: "a"}
	epoch  = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
)

// keys are the keys of the tests; the ring knows all but the foreign one.
type keys struct {
	ring                           *keyring.Ring
	older, between, newer, foreign keyring.Key
}

func newKeys(t *testing.T) keys {
	t.Helper()
	var all [4]keyring.Key
	for i := range all {
		key, err := keyring.NewKey(epoch.Add(time.Duration(i) * time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		all[i] = key
	}
	ring := keyring.NewRing(nil)
	ring.Learn(all[:3])
	return keys{ring: ring, older: all[0], between: all[1], newer: all[2], foreign: all[3]}
}

// seal seals with one key, as another replica or a client may.
func (k keys) seal(t *testing.T, key keyring.Key, at seal.Context, value string) string {
	t.Helper()
	sealed, err := seal.Seal(key.Private.Public(), at, seal.ValueOf(value))
	if err != nil {
		t.Fatal(err)
	}
	return sealed.String()
}

func (k keys) open(t *testing.T, text string) string {
	t.Helper()
	value, err := k.ring.Open(t.Context(), object, text)
	if err != nil {
		t.Fatalf("what is to be stored does not open: %v", err)
	}
	return string(value.Reveal())
}

func TestValue(t *testing.T) {
	k := newKeys(t)
	neighbour := seal.Context{Kind: "UserSecret", Namespace: "bob", Name: "a"}
	for name, tt := range map[string]struct {
		old      string
		wantKept bool
	}{
		"a first value is sealed":                              {"", false},
		"the same value keeps its ciphertext":                  {k.seal(t, k.newer, object, canary), true},
		"the same value keeps its ciphertext of an older key":  {k.seal(t, k.older, object, canary), true},
		"another value is sealed":                              {k.seal(t, k.newer, object, "another"), false},
		"the same value of another object is no ciphertext":    {k.seal(t, k.newer, neighbour, canary), false},
		"a ciphertext of a key that is gone is replaced":       {k.seal(t, k.foreign, object, canary), false},
		"what is stored and no ciphertext at all, is replaced": {"broken", false},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Value(t.Context(), k.ring, object, seal.ValueOf(canary), tt.old)
			if err != nil {
				t.Fatal(err)
			}
			if kept := got.Text == tt.old; kept != tt.wantKept || got.Changed == tt.wantKept {
				t.Errorf("kept %t, changed %t, want kept %t", kept, got.Changed, tt.wantKept)
			}
			if value := k.open(t, got.Text); value != canary {
				t.Errorf("it opens to %q", value)
			}
			if id := seal.KeyIDOf(got.Text); !tt.wantKept && id != k.newer.ID {
				t.Errorf("it is sealed with key %s, want the newest, %s", id, k.newer.ID)
			}
		})
	}
	if _, err := Value(t.Context(), keyring.NewRing(nil), object, seal.ValueOf(canary), ""); !errors.Is(err, keyring.ErrNoKey) {
		t.Errorf("without a key, Value = %v, want ErrNoKey", err)
	}
}

func TestSealed(t *testing.T) {
	k := newKeys(t)
	const took, again, kept = "taken", "sealed again with the newest key", "kept"
	older, newer, foreign := k.seal(t, k.older, object, canary), k.seal(t, k.newer, object, canary), k.seal(t, k.foreign, object, canary)
	neighbour := seal.Context{Kind: "UserSecret", Namespace: "bob", Name: "a"}
	fine := func(seal.Value) bool { return true }
	for name, tt := range map[string]struct {
		text, old   string
		fits        func(seal.Value) bool
		want        string // took, again, kept, or a refusal
		wantChanged bool
	}{
		"a first ciphertext is taken":                               {text: newer, want: took, wantChanged: true},
		"a first ciphertext of an older key is sealed again":        {text: older, want: again, wantChanged: true},
		"a ciphertext of another value is taken":                    {text: newer, old: k.seal(t, k.newer, object, "another"), want: took, wantChanged: true},
		"one of another value and an older key is sealed again":     {text: older, old: k.seal(t, k.newer, object, "another"), want: again, wantChanged: true},
		"the same value of a newer key replaces, and is no change":  {text: newer, old: older, want: took},
		"the same value of an older key is left, and is no change":  {text: older, old: newer, want: kept},
		"the same value, sealed again with the same key, is left":   {text: k.seal(t, k.newer, object, canary), old: newer, want: kept},
		"the same value, both of the same older key, is left":       {text: k.seal(t, k.older, object, canary), old: older, want: kept},
		"the same value of a key between is sealed again":           {text: k.seal(t, k.between, object, canary), old: older, want: again},
		"where the stored one does not open, the new one is taken":  {text: newer, old: foreign, want: took, wantChanged: true},
		"what is stored already stays, even where it does not open": {text: foreign, old: foreign, want: kept},
		"a ciphertext of a foreign key is refused": {
			text: foreign, old: newer,
			want: "its sealing key does not exist here: seal the value with the key of ConfigMap latchkey-public-keys, or set value instead",
		},
		"a ciphertext of another object is refused": {
			text: k.seal(t, k.newer, neighbour, canary),
			want: "it does not open for UserSecret alice/a: it was sealed for another object, was altered, or holds what does not match the rules of its fields; seal a valid value for this one, or set value instead",
		},
		"an altered ciphertext is refused": {
			text: newer[:len(newer)-8] + strings.Map(func(r rune) rune { return 'A' }, newer[len(newer)-8:]),
			want: "it does not open for UserSecret alice/a: it was sealed for another object, was altered, or holds what does not match the rules of its fields; seal a valid value for this one, or set value instead",
		},
		"a plaintext in the wrong place is refused and not repeated": {
			text: canary,
			want: "not a sealed value: it must begin with lk1.; copy the whole text, or seal the value again",
		},
		"a ciphertext of a later release is refused": {
			text: "lk2." + newer[4:],
			want: "sealed value of an unknown version: this release reads version 1, upgrade Latchkey or seal the value again",
		},
		"a value that breaks a rule is refused in the same words": {
			text: newer, fits: func(seal.Value) bool { return false },
			want: "it does not open for UserSecret alice/a: it was sealed for another object, was altered, or holds what does not match the rules of its fields; seal a valid value for this one, or set value instead",
		},
	} {
		t.Run(name, func(t *testing.T) {
			fits := tt.fits
			if fits == nil {
				fits = fine
			}
			review := &Review{}
			got, err := Sealed(t.Context(), k.ring, nil, object, tt.text, tt.old, fits, review)
			if err != nil {
				t.Fatal(err)
			}
			want, wantCauses := Outcome{Changed: tt.wantChanged}, []metav1.StatusCause(nil)
			switch tt.want {
			case took:
				want.Text = tt.text
			case again:
				if want.Text = got.Text; seal.KeyIDOf(got.Text) != k.newer.ID || k.open(t, got.Text) != canary {
					t.Errorf("it is stored with key %s, want the same value with the newest", seal.KeyIDOf(got.Text))
				}
			case kept:
				want.Text = tt.old
			default:
				wantCauses = []metav1.StatusCause{{Type: metav1.CauseTypeFieldValueInvalid, Field: "spec.sealedValue", Message: tt.want}}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("outcome (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(wantCauses, review.causes); diff != "" {
				t.Errorf("refusals (-want +got):\n%s", diff)
			}
		})
	}
}

// failing is a keyring whose keys cannot be read.
type failing struct {
	Keyring
	err error
}

func (f failing) Open(context.Context, seal.Context, string) (seal.Value, error) {
	return seal.Value{}, f.err
}

func TestKeysThatCannotBeReadRefuseNothing(t *testing.T) {
	k := newKeys(t)
	for name, err := range map[string]error{
		"the list of keys failed":  errors.New("look for sealing key 0123456789abcdef: timeout"),
		"the request was given up": context.Canceled,
		"no key is loaded":         keyring.ErrNoKey,
	} {
		t.Run(name, func(t *testing.T) {
			review := &Review{}
			got, gerr := Sealed(t.Context(), failing{k.ring, err}, nil, object, k.seal(t, k.newer, object, canary), "", nil, review)
			if gerr == nil || review.Refused() || got != (Outcome{}) {
				t.Errorf("Sealed = %+v, %v, refused %t, want an error alone", got, gerr, review.Refused())
			}
			if resp := Unavailable(gerr); resp.Allowed || resp.Result.Code != 503 || !strings.Contains(resp.Result.Message, "try again in a moment") {
				t.Errorf("the answer is %+v, want one that says to try again", resp.Result)
			}
		})
	}
}

// uids knows one namespace.
type uids string

func (u uids) UID(context.Context, string) (string, error) { return string(u), nil }

func TestSealed_ForANamespacesUID_OpensInThatVeryNamespace(t *testing.T) {
	k := newKeys(t)
	bound := object
	bound.NamespaceUID = "uid-1"
	text := k.seal(t, k.newer, bound, canary)
	for name, tt := range map[string]struct {
		uid, old string
		wantKept bool
		wantOpen bool
	}{
		"in the namespace that it was sealed for":      {"uid-1", "", false, true},
		"again, where the same value is stored":        {"uid-1", k.seal(t, k.older, object, canary), true, true},
		"again, where another value is stored":         {"uid-1", k.seal(t, k.older, object, "another"), false, true},
		"in a namespace that was made again":           {"uid-2", "", false, false},
		"in one made again that has the value already": {"uid-2", k.seal(t, k.older, object, canary), false, false},
	} {
		t.Run(name, func(t *testing.T) {
			review := &Review{}
			got, err := Sealed(t.Context(), k.ring, uids(tt.uid), object, text, tt.old, func(seal.Value) bool { return true }, review)
			if err != nil || review.Refused() == tt.wantOpen {
				t.Fatalf("Sealed: %v, refused %t, want it opened: %t", err, review.Refused(), tt.wantOpen)
			}
			if !tt.wantOpen {
				return
			}
			if kept := got.Text == tt.old; kept != tt.wantKept || got.Changed == kept {
				t.Errorf("kept %t, changed %t, want kept %t", kept, got.Changed, tt.wantKept)
			}
			if value := k.open(t, got.Text); value != canary {
				t.Errorf("what is stored opens to %q, want it sealed as everything else is", value)
			}
			if len(review.warnings) > 0 {
				t.Errorf("a text of the newest key warns of %q", review.warnings)
			}
			review = &Review{}
			if _, err := Sealed(t.Context(), k.ring, uids(tt.uid), object, k.seal(t, k.older, bound, canary), tt.old, func(seal.Value) bool { return true }, review); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{binding.WarningOlderForUID}, review.warnings); diff != "" {
				t.Errorf("warnings of a text of an older key (-want +got):\n%s", diff)
			}
		})
	}
}
