// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package coder

import "github.com/latchkey-dev/latchkey/internal/imports"

// newSecrets converts the entries of a secrets file into secrets.
func newSecrets(entries []imports.Entry) []NewSecret {
	secrets := make([]NewSecret, len(entries))
	for i, e := range entries {
		secrets[i] = NewSecret{Name: e.Key, Value: e.Value, EnvName: e.EnvName(), Enabled: true}
	}
	return secrets
}
