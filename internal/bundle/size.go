// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/policy/claim"
	"github.com/latchkey-dev/latchkey/internal/policy/limits"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

// The one place that says what an object takes of its tenant's limits. Admission and
// the store ask before anything is written, DecideUser and DecideAgent in the order of
// claims, so that they all refuse the same object. What is not known without the value
// is bounded from above; only the size of a source is left to the filling.

const (
	// entryOverhead is what an entry of a Secret takes besides key and value: its
	// framing in etcd, and its mark in the list of who manages which field.
	entryOverhead = 32
	// digestSuffix is what a key can be longer than the name that it is made from.
	digestSuffix = len("--0123456789abcdef")
)

// entrySize is what one entry takes of a Secret as it is stored. The key stands there
// twice, since the list of managed fields names it again.
func entrySize(key, value int) int { return value + 2*key + entryOverhead }

// treeSize is what one value takes at most of the typed document: a key in quotes for
// each segment, with its colon, braces and comma, and the empty key where the value
// stands above others.
func treeSize(path []string, value int) int {
	n := value + 4
	for _, s := range path {
		n += escaped(s) + 6
	}
	return n
}

// escaped is how long a text is at most in JSON, without its quotes.
func escaped(text string) int {
	n := len(text)
	for i := range len(text) {
		if c := text[i]; c < ' ' || c == '"' || c == '\\' {
			n += 5
		}
	}
	return n
}

// fileKeySize is how long the key of a file can be.
func fileKeySize(name string) int { return min(len(name), maxKey) + digestSuffix }

// UserUse returns what a UserSecret takes of its tenant's limits, projected or not.
func UserUse(u *v1alpha1.UserSecret) limits.Use {
	return UserUseOf(u, SizeOf(u.Spec.SealedValue))
}

// UserUseOf returns what a UserSecret would take with a value of a size.
func UserUseOf(u *v1alpha1.UserSecret, size int) limits.Use {
	use := limits.Use{Secrets: 1, ValueBytes: size}
	if u.Spec.EnvName != "" {
		use.EnvValueBytes = size
		use.EnvBundle = entrySize(len(u.Spec.EnvName), size)
	}
	if u.Spec.FilePath != "" {
		use.FilesBundle = entrySize(fileKeySize(u.SecretName()), size)
	}
	return use
}

// AgentUse returns what an AgentSecret takes of its tenant's limits. Its files bundle
// holds the value twice: as a file and in the typed document.
func AgentUse(a *v1alpha1.AgentSecret) limits.Use {
	size := SizeOf(a.Spec.SealedValue)
	use := limits.Use{Secrets: 1, ValueBytes: size}
	if a.Spec.SealedValue == "" {
		return use
	}
	if env := claim.AgentEnv(a); env != "" {
		use.EnvBundle = entrySize(len(env), size)
	}
	use.FilesBundle = entrySize(fileKeySize(claim.AgentFile(a)), size) + treeSize(a.Spec.Path, size)
	return use
}

// SizeOf returns the plaintext bytes of a sealed value: 0 where it is empty or no
// sealed value. It does not decode it, since every look at a tenant asks for the
// sizes of all its values.
func SizeOf(sealed string) int { return seal.SizeOf(sealed) }
