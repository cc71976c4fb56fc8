// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package coder

import (
	"net/url"
	"strings"
)

// importName is the last segment of the import's path. A secret may have this name,
// too: only a POST to it is the import.
const importName = "batch"

// target is what a path addresses: the secrets of a user, or one of them.
type target struct {
	user string
	name string // "" addresses all secrets of the user
}

// parsePath parses {user}/secrets or {user}/secrets/{name} below the prefix. It works
// on the escaped path and decodes each segment once, after splitting. A name can have
// any character except / ? and #, so "%2F" must not become a separator, nor "%252F" a
// slash, and "." segments must not be resolved. [net/http.ServeMux] cleans paths by
// redirecting, so it is not used.
func parsePath(prefix, escapedPath string) (target, bool) {
	rest, ok := strings.CutPrefix(escapedPath, prefix)
	if !ok {
		return target{}, false
	}
	segments := strings.SplitN(rest, "/", 4)
	if len(segments) != 2 && len(segments) != 3 {
		return target{}, false
	}
	for i, segment := range segments {
		decoded, err := url.PathUnescape(segment)
		if err != nil || decoded == "" {
			return target{}, false
		}
		segments[i] = decoded
	}
	if segments[1] != "secrets" {
		return target{}, false
	}
	t := target{user: segments[0]}
	if len(segments) == 3 {
		t.name = segments[2]
	}
	return t, true
}
