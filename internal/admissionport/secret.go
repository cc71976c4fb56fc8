// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package admissionport

import (
	"crypto/rand"
	"regexp"
	"strings"
	"time"

	"github.com/latchkey-dev/latchkey/internal/seal"
)

// SecretName is the Secret, in Latchkey's own namespace, that holds the segments.
const SecretName = "latchkey-admission-path"

// The paths of the hooks, below the segment.
const (
	UserSecretHook  = "/admit-usersecret"
	AgentSecretHook = "/admit-agentsecret"
	PodHook         = "/inject-pod"
)

// Hooks returns the paths of the hooks, by their names in the webhook configuration.
func Hooks() map[string]string {
	return map[string]string{
		"usersecrets.latchkey.dev":    UserSecretHook,
		"agentsecrets.latchkey.dev":   AgentSecretHook,
		"pods.latchkey.dev":           PodHook,
		"opted-in-pods.latchkey.dev":  PodHook,
		"projected-pods.latchkey.dev": PodHook,
	}
}

// State is the content of the Secret.
type State struct {
	// Current is the segment that the webhook configuration names, or will name.
	Current seal.Value
	// Previous is the segment before; it may be empty. It is accepted as well.
	Previous seal.Value
	// Since is when Current was made.
	Since time.Time
	// Certificate is a digest of the serving certificate when Current was made.
	Certificate string
}

// The Secret's keys.
const (
	currentKey     = "current"
	previousKey    = "previous"
	sinceKey       = "since"
	certificateKey = "certificate"
)

// segment is what NewSegment makes: a path segment that the API server accepts.
var segment = regexp.MustCompile(`^[a-z2-7]{26,}$`)

// NewSegment returns a segment of at least 128 random bits.
func NewSegment() seal.Value { return seal.ValueOf(strings.ToLower(rand.Text())) }

// ParseSegment returns the segment of a path that leads to hook, or the empty value.
func ParseSegment(path, hook string) seal.Value {
	found, ok := strings.CutSuffix(strings.TrimPrefix(path, "/"), hook)
	if !ok || !segment.MatchString(found) {
		return seal.Value{}
	}
	return seal.ValueOf(found)
}

// Path returns the path of a hook below a segment. It is as secret as the segment.
func Path(of seal.Value, hook string) string { return "/" + string(of.Reveal()) + hook }

// ParseState parses a Secret's data. ok is false if it has no segment.
func ParseState(data map[string][]byte) (s State, ok bool) {
	if !segment.Match(data[currentKey]) {
		return State{}, false
	}
	s = State{Current: seal.NewValue(data[currentKey]), Certificate: string(data[certificateKey])}
	if segment.Match(data[previousKey]) {
		s.Previous = seal.NewValue(data[previousKey])
	}
	// An invalid time counts as long ago, so that the segment is replaced.
	s.Since, _ = time.Parse(time.RFC3339, string(data[sinceKey]))
	return s, true
}

// Data returns the data of the Secret.
func (s State) Data() map[string][]byte {
	return map[string][]byte{
		currentKey:     s.Current.Reveal(),
		previousKey:    s.Previous.Reveal(),
		sinceKey:       []byte(s.Since.UTC().Format(time.RFC3339)),
		certificateKey: []byte(s.Certificate),
	}
}
