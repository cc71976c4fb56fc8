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

// Keyring seals and opens. keyring.Ring is one.
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

// Outcome is what is to be stored.
type Outcome struct {
	// Text is the sealed value.
	Text string
	// Changed reports whether the value differs from the one stored before.
	Changed bool
}

// Value seals a value that came in plain. The ciphertext stored before stays where
// it holds the same value, so that applying a manifest again changes nothing.
func Value(ctx context.Context, k Keyring, c seal.Context, v seal.Value, old string) (Outcome, error) {
	// Sealed before it is compared, so that the time which an answer takes does not show
	// whether both are equal.
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

// Sealed takes in a value that came sealed. It must open for its object. Of two
// ciphertexts of the same value, the one of the newer key stays: a manifest in a
// repository keeps its old ciphertext long after the stored one was sealed again.
// What is taken is stored sealed with the newest key, see newest.
// Fits reports whether the kind takes the value. Whether it does, or the text does not
// open at all, is one answer: a finer one would be a question about a value that its
// author may not know. Outcome is empty where review refuses.
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
	// Before it is compared, for the reason that Value has.
	taken, err := newest(k, c, text, v)
	if err != nil {
		return Outcome{}, err
	}
	was, err := k.Open(ctx, c, old)
	if old == "" || err != nil || !was.Equal(v) {
		return Outcome{Text: taken, Changed: true}, nil
	}
	if k.Newer(keyID(text), keyID(old)) {
		return Outcome{Text: taken}, nil
	}
	return Outcome{Text: old}, nil
}

// newest returns the text itself where it is of the key that seals, else its value
// sealed with that key. So nothing is stored that would be sealed again soon, and a dry
// run gives the author of a manifest the text to put into it: the author learns that
// the old text is valid, which a refusal shows too, and nothing of its value.
func newest(k Keyring, c seal.Context, text string, v seal.Value) (string, error) {
	if keyID(text) == k.NewestID() {
		return text, nil
	}
	sealed, err := k.Seal(c, v)
	if err != nil {
		return "", fmt.Errorf("seal: %w", err)
	}
	return sealed, nil
}

// sealedForUID takes in a text that does not open as it is, but may for the very
// namespace that there is now. It is sealed again for what everything else opens. If
// its key is not the newest, a warning says so: whoever asks for a newer text gets one
// that any later namespace of the name opens too.
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
	if keyID(text) != k.NewestID() {
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

// refuseUnfit refuses a text that does not open, or to what the kind does not take.
func refuseUnfit(c seal.Context, review *Review) {
	const remedy = "seal a valid value for this one, or set value instead"
	bound, rule := "object", "the rules of its fields"
	if c.Type != "" {
		bound, rule = "object, path or type", "the type"
	}
	review.Refuse(sealedField, metav1.CauseTypeFieldValueInvalid, fmt.Sprintf(
		"it does not open for %s %s/%s: it was sealed for another %s, was altered, or holds what does not match %s; %s", c.Kind, c.Namespace, c.Name, bound, rule, remedy))
}

func keyID(text string) string {
	s, err := seal.Parse(text)
	if err != nil {
		return ""
	}
	return s.KeyID()
}

// Named refuses an object without a name: its value could not be bound to it.
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
