// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package claim

import "github.com/latchkey-dev/latchkey/api/v1alpha1"

// Words are the names of one kind of claim.
type Words struct {
	// Noun is the name in messages.
	Noun string
	// Field is the field of the object, Attribute that of the user-secrets REST contract.
	Field, Attribute string
}

var words = map[v1alpha1.ClaimKind]Words{
	v1alpha1.ClaimName: {"name", "spec.name", "name"},
	v1alpha1.ClaimPath: {"path", "spec.path", ""},
	v1alpha1.ClaimEnv:  {"environment variable", "spec.envName", "env_name"},
	v1alpha1.ClaimFile: {"file path", "spec.filePath", "file_path"},
}

// WordsOf returns the names of a kind of claim.
func WordsOf(kind v1alpha1.ClaimKind) Words { return words[kind] }

// InUse returns the text of the REST contracts for a claim that another secret holds.
func (w Words) InUse() string { return w.Noun + " already in use" }
