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

// Where each hook is, below the segment.
const (
	UserSecretHook  = "/admit-usersecret"
	AgentSecretHook = "/admit-agentsecret"
	PodHook         = "/inject-pod"
)

// Hooks returns where the hooks are, by their names in the webhook configuration.
func Hooks() map[string]string {
	return map[string]string{
		"usersecrets.latchkey.dev":    UserSecretHook,
		"agentsecrets.latchkey.dev":   AgentSecretHook,
		"pods.latchkey.dev":           PodHook,
		"opted-in-pods.latchkey.dev":  PodHook,
		"projected-pods.latchkey.dev": PodHook,
	}
}

// State is what the Secret holds.
type State struct {
	// Current is the segment that the webhook configuration names, or is about to.
	Current seal.Value
	// Previous is the one before; it may be empty. It is honoured as well.
	Previous seal.Value
	// Since is when Current was made.
	Since time.Time
	// Certificate is a digest of the serving certificate of that time.
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

// ParseSegment returns the segment of a path that leads to hook; empty where the path
// has none.
func ParseSegment(path, hook string) seal.Value {
	found, ok := strings.CutSuffix(strings.TrimPrefix(path, "/"), hook)
	if !ok || !segment.MatchString(found) {
		return seal.Value{}
	}
	return seal.ValueOf(found)
}

// Path returns the path of a hook below a segment. It is as secret as the segment.
func Path(of seal.Value, hook string) string { return "/" + string(of.Reveal()) + hook }

// ParseState reads a Secret's data. It is not ok where there is no segment.
func ParseState(data map[string][]byte) (s State, ok bool) {
	if !segment.Match(data[currentKey]) {
		return State{}, false
	}
	s = State{Current: seal.NewValue(data[currentKey]), Certificate: string(data[certificateKey])}
	if segment.Match(data[previousKey]) {
		s.Previous = seal.NewValue(data[previousKey])
	}
	// A time that cannot be read is long ago: the segment gets a successor.
	s.Since, _ = time.Parse(time.RFC3339, string(data[sinceKey]))
	return s, true
}

// Data returns what the Secret is to hold.
func (s State) Data() map[string][]byte {
	return map[string][]byte{
		currentKey:     s.Current.Reveal(),
		previousKey:    s.Previous.Reveal(),
		sinceKey:       []byte(s.Since.UTC().Format(time.RFC3339)),
		certificateKey: []byte(s.Certificate),
	}
}
