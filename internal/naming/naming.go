// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package naming owns the metadata.name of objects that are made for a secret of
// another name, by REST and by the command line alike. It is pure.
package naming

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// Object returns the metadata.name for a secret: the secret's own name if it is a valid
// one, else its Digest. It depends only on the name, so of two simultaneous creations the
// API server accepts one.
func Object(name string) string {
	if len(name) <= 200 && len(validation.IsDNS1123Subdomain(name)) == 0 {
		return name
	}
	return Digest(name)
}

// Digest returns a metadata.name that belongs to no other secret's name: a readable part
// and a digest.
func Digest(name string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		if b.Len() >= 40 {
			break
		}
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	sum := sha256.Sum256([]byte(name))
	return strings.TrimLeft(strings.TrimSuffix(b.String(), "-")+"-"+hex.EncodeToString(sum[:8]), "-")
}
