// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package claim

import "github.com/latchkey-dev/latchkey/api/v1alpha1"

// Words are what one kind of claim is called.
type Words struct {
	// Noun is for people.
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

// WordsOf returns what a kind of claim is called.
func WordsOf(kind v1alpha1.ClaimKind) Words { return words[kind] }

// InUse says, in the words of the REST contracts, that another secret has it.
func (w Words) InUse() string { return w.Noun + " already in use" }
