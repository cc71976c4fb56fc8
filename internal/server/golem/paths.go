// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package golem

import (
	"net/url"
	"strings"
)

// resource is what a path addresses.
type resource int

const (
	environmentSecrets resource = iota // envs/{environment_id}/agent-secrets
	oneSecret                          // agent-secrets/{agent_secret_id}
	deletion                           // agent-secret/{agent_secret_id}
)

// target is what a path addresses, with the id as it was sent.
type target struct {
	resource resource
	id       string
}

// parsePath parses the path below the prefix. It works on the escaped path and decodes
// each segment once, after splitting, so that no encoding of an id leads to another
// route. [net/http.ServeMux] cleans paths by redirecting, so it is not used.
func parsePath(prefix, escapedPath string) (target, bool) {
	rest, ok := strings.CutPrefix(escapedPath, prefix)
	if !ok {
		return target{}, false
	}
	segments := strings.SplitN(rest, "/", 4)
	for i, segment := range segments {
		decoded, err := url.PathUnescape(segment)
		if err != nil || decoded == "" {
			return target{}, false
		}
		segments[i] = decoded
	}
	switch {
	case len(segments) == 3 && segments[0] == "envs" && segments[2] == "agent-secrets":
		return target{environmentSecrets, segments[1]}, true
	case len(segments) == 2 && segments[0] == "agent-secrets":
		return target{oneSecret, segments[1]}, true
	case len(segments) == 2 && segments[0] == "agent-secret":
		return target{deletion, segments[1]}, true
	}
	return target{}, false
}

// parseID parses a UUID in the text form of RFC 9562, section 4, and returns it in
// lower case. It refuses other spellings (without hyphens, in braces, as a URN): an id
// has one form.
func parseID(text string) (string, bool) {
	if len(text) != 36 {
		return "", false
	}
	for i := range len(text) {
		c := text[i]
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return "", false
			}
		default:
			if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
				return "", false
			}
		}
	}
	return strings.ToLower(text), true
}
