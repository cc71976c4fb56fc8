// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package golem

import (
	"strings"

	"github.com/google/uuid"

	"github.com/latchkey-dev/latchkey/internal/server/requests"
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

// parsePath parses the path below the prefix.
func parsePath(prefix, escapedPath string) (target, bool) {
	segments, _ := requests.Segments(prefix, escapedPath)
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
	if len(text) != 36 || uuid.Validate(text) != nil {
		return "", false
	}
	return strings.ToLower(text), true
}
