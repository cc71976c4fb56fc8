// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package sealing

import (
	"context"
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/latchkey-dev/latchkey/internal/binding"
	"github.com/latchkey-dev/latchkey/internal/keyring"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

// Keyring seals and opens values. keyring.Ring is one.
type Keyring interface {
	// Seal seals a value for the object c with the newest key.
	Seal(c seal.Context, v seal.Value) (string, error)
	// Open returns the value sealed for the object c.
	Open(ctx context.Context, c seal.Context, text string) (seal.Value, error)
	// Newer reports whether key a was made after key b.
	Newer(a, b string) bool
	// NewestID returns the id of the key that seals.
	NewestID() string
}

// Outcome is the value to store.
type Outcome struct {
	// Text is the sealed value.
	Text string
	// Changed reports whether the value differs from the stored one.
	Changed bool
}

// Value seals a value that was sent in plain text. If the stored ciphertext has the
// same value, it stays, so that applying a manifest again changes nothing.
func Value(ctx context.Context, k Keyring, c seal.Context, v seal.Value, old string) (Outcome, error) {
	// Seal before comparing, so that the time of the answer does not reveal whether the
	// values are equal.
	text, err := k.Seal(c, v)
	if err != nil {
		return Outcome{}, fmt.Errorf("seal: %w", err)
	}
	if old != "" {
		if was, err := k.Open(ctx, c, old); err == nil && was.Equal(v) {
			return Outcome{Text: old}, nil
		}
	}
	return Outcome{Text: text, Changed: true}, nil
}

// Sealed accepts a value that was sent sealed. It must open for its object. Of two
// ciphertexts of the same value, the one with the newer key stays: a manifest in a
// repository keeps its old ciphertext long after the stored one was sealed again. An
// accepted value is stored sealed with the newest key, see newest. fits reports whether
// the kind accepts the value. A value that it does not accept and a text that does not
// open get the same answer: otherwise the answer would reveal something about a value
// that the author may not know. Outcome is empty if review refuses.
func Sealed(ctx context.Context, k Keyring, namespaces Namespaces, c seal.Context, text, old string, fits func(seal.Value) bool, review *Review) (Outcome, error) {
	if text == old {
		return Outcome{Text: old}, nil
	}
	v, err := k.Open(ctx, c, text)
	if err != nil && keyring.IsFinal(err) && namespaces != nil {
		return sealedForUID(ctx, k, namespaces, c, text, old, fits, review, err)
	}
	if err != nil {
		return Outcome{}, refuseSealed(c, err, review)
	}
	if !fits(v) {
		refuseUnfit(c, review)
		return Outcome{}, nil
	}
	// Seal before comparing, for the same reason as in Value.
	taken, err := newest(k, c, text, v)
	if err != nil {
		return Outcome{}, err
	}
	was, err := k.Open(ctx, c, old)
	if old == "" || err != nil || !was.Equal(v) {
		return Outcome{Text: taken, Changed: true}, nil
	}
	if k.Newer(seal.KeyIDOf(text), seal.KeyIDOf(old)) {
		return Outcome{Text: taken}, nil
	}
	return Outcome{Text: old}, nil
}

// newest returns the text itself if its key is the newest, else its value sealed with
// the newest key. So nothing is stored that would soon be sealed again, and a dry run
// gives the author the text for the manifest. The author learns that the old text is
// valid, which a refusal also reveals, and nothing about its value.
func newest(k Keyring, c seal.Context, text string, v seal.Value) (string, error) {
	if seal.KeyIDOf(text) == k.NewestID() {
		return text, nil
	}
	sealed, err := k.Seal(c, v)
	if err != nil {
		return "", fmt.Errorf("seal: %w", err)
	}
	return sealed, nil
}

// sealedForUID accepts a text that does not open as it is, but was sealed for the
// current namespace's UID. It seals the value again for the name, like all others. If
// the text's key is not the newest, it warns: a newer text from a dry run also opens in
// any later namespace with the same name.
func sealedForUID(
	ctx context.Context, k Keyring, namespaces Namespaces, c seal.Context, text, old string, fits func(seal.Value) bool, review *Review, plain error,
) (Outcome, error) {
	bound := c
	var err error
	if bound.NamespaceUID, err = namespaces.UID(ctx, c.Namespace); err != nil {
		return Outcome{}, fmt.Errorf("read the namespace: %w", err)
	}
	v, err := k.Open(ctx, bound, text)
	switch {
	case err != nil:
		return Outcome{}, refuseSealed(c, plain, review)
	case !fits(v):
		refuseUnfit(c, review)
		return Outcome{}, nil
	}
	if seal.KeyIDOf(text) != k.NewestID() {
		review.warnings = append(review.warnings, binding.WarningOlderForUID)
	}
	return Value(ctx, k, c, v, old)
}

const sealedField = "spec.sealedValue"

func refuseSealed(c seal.Context, err error, review *Review) error {
	switch {
	case errors.Is(err, keyring.ErrNoKey):
		return errors.New("no sealing key is loaded yet: try again in a moment")
	case errors.Is(err, keyring.ErrUnknownKey):
		review.Refuse(sealedField, metav1.CauseTypeFieldValueInvalid,
			"its sealing key does not exist here: seal the value with the key of ConfigMap latchkey-public-keys, or set value instead")
	case errors.Is(err, seal.ErrMalformed), errors.Is(err, seal.ErrVersion), errors.Is(err, seal.ErrTooLarge):
		review.Refuse(sealedField, metav1.CauseTypeFieldValueInvalid, err.Error())
	case !keyring.IsFinal(err):
		return fmt.Errorf("the sealing keys cannot be read, try again in a moment: %w", err)
	default:
		refuseUnfit(c, review)
	}
	return nil
}

// refuseUnfit refuses a text that does not open, or whose value the kind does not
// accept.
func refuseUnfit(c seal.Context, review *Review) {
	const remedy = "seal a valid value for this one, or set value instead"
	bound, rule := "object", "the rules of its fields"
	if c.Type != "" {
		bound, rule = "object, path or type", "the type"
	}
	review.Refuse(sealedField, metav1.CauseTypeFieldValueInvalid, fmt.Sprintf(
		"it does not open for %s %s/%s: it was sealed for another %s, was altered, or holds what does not match %s; %s", c.Kind, c.Namespace, c.Name, bound, rule, remedy))
}

// Named refuses an object without a name: its value could not be bound to the name.
func Named(name, generateName string, review *Review) bool {
	if name != "" {
		return true
	}
	if generateName != "" {
		review.Refuse("metadata.generateName", metav1.CauseTypeFieldValueNotSupported,
			"a value is sealed for the object's name, which must be known: set metadata.name instead")
	} else {
		review.Refuse("metadata.name", metav1.CauseTypeFieldValueRequired, "name is required")
	}
	return false
}
