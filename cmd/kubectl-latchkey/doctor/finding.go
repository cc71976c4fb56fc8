// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"fmt"
	"slices"
	"strings"
)

// States of a finding.
const (
	// OK says that all is well.
	OK = "ok"
	// Warning says what may be meant, or may become a problem.
	Warning = "warning"
	// Failed says that something is wrong.
	Failed = "failed"
	// Unknown says that a right is missing to look.
	Unknown = "unknown"
)

// Finding is what one look came to.
type Finding struct {
	// Check is what was looked at.
	Check string `json:"check"`
	// State is one of the four.
	State string `json:"state"`
	// Text says what was seen.
	Text string `json:"text"`
	// Fix is a command that helps, or shows more.
	Fix string `json:"fix,omitempty"`
	// Needs is the right that is missing.
	Needs string `json:"needs,omitempty"`
}

// Healthy reports whether nothing is wrong, as far as could be seen.
func Healthy(all []Finding) bool {
	return !slices.ContainsFunc(all, func(f Finding) bool { return f.State == Failed })
}

// Read is a fact, or why there is none.
type Read[T any] struct {
	// Value is the fact.
	Value T
	// Absent tells that the cluster has no such object.
	Absent bool
	// Denied is the right that the caller lacks.
	Denied string
	// Problem is why it could not be read otherwise.
	Problem string
}

// known reports whether there is a fact to judge.
func (r Read[T]) known() bool { return !r.Absent && r.Denied == "" && r.Problem == "" }

// unread returns the finding about what could not be read, if that is so.
func (r Read[T]) unread(check string) ([]Finding, bool) {
	switch {
	case r.Denied != "":
		return []Finding{{Check: check, State: Unknown, Text: "you may not " + r.Denied, Needs: r.Denied}}, true
	case r.Problem != "":
		return []Finding{{Check: check, State: Failed, Text: "it cannot be read: " + r.Problem, Fix: "kubectl get --raw /readyz"}}, true
	}
	return nil, false
}

func ok(check, format string, args ...any) Finding {
	return Finding{Check: check, State: OK, Text: fmt.Sprintf(format, args...)}
}

func warn(check, fix, format string, args ...any) Finding {
	return Finding{Check: check, State: Warning, Text: fmt.Sprintf(format, args...), Fix: fix}
}

func failed(check, fix, format string, args ...any) Finding {
	return Finding{Check: check, State: Failed, Text: fmt.Sprintf(format, args...), Fix: fix}
}

// orOK returns what was found, or that all is well.
func orOK(found []Finding, check, format string, args ...any) []Finding {
	if len(found) > 0 {
		return found
	}
	return []Finding{ok(check, format, args...)}
}

// allReady says that nothing is wrong with a number of secrets.
func allReady(check string, n int) Finding {
	switch n {
	case 0:
		return ok(check, "there are none")
	case 1:
		return ok(check, "the only one is ready")
	}
	return ok(check, "all %d are ready", n)
}

// shown is how many names a text lists.
const shown = 5

// few lists some names.
func few(names []string) string {
	if len(names) <= shown {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:shown], ", "), len(names)-shown)
}
