// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package coder

import "github.com/latchkey-dev/latchkey/internal/server/requests"

// importName is the last segment of the import's path. A secret may have this name,
// too: only a POST to it is the import.
const importName = "batch"

// target is what a path addresses: the secrets of a user, or one of them.
type target struct {
	user string
	name string // "" addresses all secrets of the user
}

// parsePath parses {user}/secrets or {user}/secrets/{name} below the prefix. A name can
// have any character except / ? and #.
func parsePath(prefix, escapedPath string) (target, bool) {
	segments, _ := requests.Segments(prefix, escapedPath)
	switch {
	case len(segments) == 2 && segments[1] == "secrets":
		return target{user: segments[0]}, true
	case len(segments) == 3 && segments[1] == "secrets":
		return target{user: segments[0], name: segments[2]}, true
	}
	return target{}, false
}
