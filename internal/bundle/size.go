// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/policy/claim"
	"github.com/latchkey-dev/latchkey/internal/policy/limits"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

// This is the one place that computes what an object uses of its tenant's limits.
// Admission and the store ask before anything is written. DecideUser and DecideAgent
// ask in the order of claims. So all of them refuse the same object. What is not known
// without the value has an upper bound; only the size of a source is not known before
// the layout.

const (
	// entryOverhead is what an entry of a Secret takes besides key and value: its
	// framing in etcd, and its place in the list of managed fields.
	entryOverhead = 32
	// digestSuffix is how much longer a key can be than the name that it is made from.
	digestSuffix = len("--0123456789abcdef")
)

// entrySize is the size of one entry in a stored Secret. The key counts twice, because
// the list of managed fields contains it, too.
func entrySize(key, value int) int { return value + 2*key + entryOverhead }

// treeSize is the maximum size of one value in the typed document: a key in quotes for
// each segment, with its colon, braces and comma, and the empty key if the value is
// above others.
func treeSize(path []string, value int) int {
	n := value + 4
	for _, s := range path {
		n += escaped(s) + 6
	}
	return n
}

// escaped is the maximum length of a text in JSON, without its quotes.
func escaped(text string) int {
	n := len(text)
	for i := range len(text) {
		if c := text[i]; c < ' ' || c == '"' || c == '\\' {
			n += 5
		}
	}
	return n
}

// fileKeySize is the maximum length of the key of a file.
func fileKeySize(name string) int { return min(len(name), maxKey) + digestSuffix }

// UserUse returns what a UserSecret uses of its tenant's limits, projected or not.
func UserUse(u *v1alpha1.UserSecret) limits.Use {
	return UserUseOf(u, SizeOf(u.Spec.SealedValue))
}

// UserUseOf returns what a UserSecret would use with a value of a given size.
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

// AgentUse returns what an AgentSecret uses of its tenant's limits. Its files bundle
// has the value twice: as a file and in the typed document.
func AgentUse(a *v1alpha1.AgentSecret) limits.Use { return agentUse(a, claim.OfAgent(a)) }

func agentUse(a *v1alpha1.AgentSecret, h claim.Claimant) limits.Use {
	size := SizeOf(a.Spec.SealedValue)
	use := limits.Use{Secrets: 1, ValueBytes: size}
	if a.Spec.SealedValue == "" {
		return use
	}
	if env := h.Of(v1alpha1.ClaimEnv); env != "" {
		use.EnvBundle = entrySize(len(env), size)
	}
	use.FilesBundle = entrySize(fileKeySize(h.Of(v1alpha1.ClaimFile)), size) + treeSize(a.Spec.Path, size)
	return use
}

// SizeOf returns the plaintext bytes of a sealed value: 0 if it is empty or not a
// sealed value. It does not decode the value, because every evaluation of a tenant
// needs the sizes of all values.
func SizeOf(sealed string) int { return seal.SizeOf(sealed) }
