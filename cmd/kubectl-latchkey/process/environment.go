// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/latchkey-dev/latchkey/internal/policy/rules"
)

// VariableFiles names the folder with the files.
const VariableFiles = "LATCHKEY_FILES"

// Environment returns the inherited variables with those of bundles, of which a later one
// wins, and says why some are left out. A variable that makes programs run code is one of
// them: who may write a secret of the namespace must not run code on this machine.
func Environment(inherited []string, folder string, bundles ...map[string][]byte) (env, left []string) {
	var refused *rules.Targets // nil is what everybody refuses
	added := map[string]string{}
	for _, bundle := range bundles {
		for _, name := range slices.Sorted(maps.Keys(bundle)) {
			reason := refused.Env(name)
			switch {
			case name == "" || strings.ContainsAny(name, "=\x00"):
				reason = "that is no name of a variable"
			case strings.Contains(string(bundle[name]), "\x00"):
				reason = "its value has a NUL byte"
			}
			if reason != "" {
				left = append(left, fmt.Sprintf("variable %s is left out: %s", name, reason))
				continue
			}
			added[name] = string(bundle[name])
		}
	}
	delete(added, VariableFiles)
	if folder != "" {
		added[VariableFiles] = folder
	}
	for _, entry := range inherited {
		name, _, _ := strings.Cut(entry, "=")
		if _, replaced := added[name]; !replaced && name != VariableFiles {
			env = append(env, entry)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(added)) {
		env = append(env, name+"="+added[name])
	}
	return env, left
}
