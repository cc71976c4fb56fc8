// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package linearizability

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/anishathalye/porcupine"
)

// slots is how many secrets a tenant can have: few, so that requests meet.
const slots = 4

// verb is what a request does.
type verb string

const (
	create verb = "create"
	update verb = "update"
	remove verb = "delete"
	get    verb = "get"
	list   verb = "list"
)

func (v verb) reads() bool { return v == get || v == list }

// request is what a client asked for.
type request struct {
	Verb verb
	// Slot says which secret: a name of a user's, a path of an environment's.
	Slot int
	// ID addresses an agent secret, in all but create and list.
	ID string `json:",omitempty"`
	// Revision is that which an agent secret must have to be changed.
	Revision int `json:",omitempty"`
	// Content, Env and File are what is written; nil leaves them.
	Content, Env, File *string `json:",omitempty"`
}

// answer is what a client was told.
type answer struct {
	// Status is 200 for whatever was done, 404, 409, or 0 where nobody knows.
	Status int
	// Seen are the secrets that the answer shows.
	Seen []seen `json:",omitempty"`
}

// seen is a secret as an answer shows it.
type seen struct {
	Slot               int
	ID                 string
	Content, Env, File string
	Revision           int
}

// secret is one as it is. Its ID is empty until an answer shows it, where nobody
// answered its creation.
type secret struct {
	There              bool
	ID                 string
	Content, Env, File string
	Revision           int
}

// tenant is all secrets of a tenant. It is a value: states are compared with ==.
type tenant [slots]secret

// model returns what a tenant's secrets may do, for porcupine. A request without an
// answer does its work wherever that is possible in the order; since it has no end, an
// order that puts it behind everything else says that it never did.
func model() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return tenant{} },
		Step: func(state, input, output any) (bool, any) {
			before, _ := state.(tenant)
			return step(before, asked(input), told(output))
		},
		DescribeOperation: func(input, output any) string { return describe(asked(input), told(output)) },
		DescribeState:     func(state any) string { return fmt.Sprint(state) },
	}
}

// asked and told are what porcupine hands back.
func asked(input any) request { r, _ := input.(request); return r }
func told(output any) answer  { a, _ := output.(answer); return a }

// step reports whether a request can be answered so in a state, and the state after it.
func step(t tenant, r request, a answer) (bool, tenant) {
	if r.Verb == list {
		return t.shows(a)
	}
	s := t[r.Slot]
	addressed := s.There && (r.ID == "" || r.ID == s.ID)
	switch {
	case r.Verb == create && (s.There || t.claimed(r)):
		return a.Status == 0 || a.Status == http.StatusConflict, t
	case r.Verb == create:
		return t.becomes(r, secret{There: true}, a)
	case !addressed:
		return a.Status == 0 || a.Status == http.StatusNotFound, t
	case r.Verb == get:
		return t.reads(r.Slot, a)
	case r.ID != "" && r.Revision != s.Revision, t.claimed(r):
		return a.Status == 0 || a.Status == http.StatusConflict, t
	case r.ID != "":
		s.Revision++
	}
	return t.becomes(r, s, a)
}

// becomes is a write that nothing keeps from being done.
func (t tenant) becomes(r request, s secret, a answer) (bool, tenant) {
	for from, to := range map[*string]*string{r.Content: &s.Content, r.Env: &s.Env, r.File: &s.File} {
		if from != nil {
			*to = *from
		}
	}
	t[r.Slot] = s
	ok := a.Status == 0 || a.Status == http.StatusOK
	if len(a.Seen) > 0 {
		var matches bool
		matches, t = t.reads(r.Slot, a)
		ok = ok && matches
	}
	if r.Verb == remove {
		t[r.Slot] = secret{}
	}
	return ok, t
}

// claimed reports whether another secret has a variable or a file that r would claim.
func (t tenant) claimed(r request) bool {
	for slot, other := range t {
		if !other.There || slot == r.Slot {
			continue
		}
		if r.Env != nil && *r.Env != "" && *r.Env == other.Env || r.File != nil && *r.File != "" && *r.File == other.File {
			return true
		}
	}
	return false
}

// reads is an answer that shows one secret. It tells an ID that was not known.
func (t tenant) reads(slot int, a answer) (bool, tenant) {
	if a.Status != http.StatusOK || len(a.Seen) != 1 || a.Seen[0].Slot != slot {
		return false, t
	}
	s, is := t[slot], a.Seen[0]
	if s.ID == "" {
		s.ID = is.ID
	}
	t[slot] = s
	return s == secret{true, is.ID, is.Content, is.Env, is.File, is.Revision}, t
}

// shows is an answer that shows all secrets.
func (t tenant) shows(a answer) (bool, tenant) {
	there := 0
	for _, s := range t {
		if s.There {
			there++
		}
	}
	if a.Status != http.StatusOK || len(a.Seen) != there {
		return false, t
	}
	for _, is := range a.Seen {
		var ok bool
		if ok, t = t.reads(is.Slot, answer{Status: http.StatusOK, Seen: []seen{is}}); !ok {
			return false, t
		}
	}
	return true, t
}

// String shows a state to people.
func (t tenant) String() string {
	var out []string
	for slot, s := range t {
		if s.There {
			out = append(out, seen{slot, s.ID, s.Content, s.Env, s.File, s.Revision}.String())
		}
	}
	return "{" + strings.Join(out, ", ") + "}"
}

// String shows a secret to people.
func (s seen) String() string {
	out := fmt.Sprintf("%d: %s", s.Slot, s.Content)
	for _, claim := range []string{s.Env, s.File} {
		if claim != "" {
			out += " " + claim
		}
	}
	if s.Revision > 0 {
		out += fmt.Sprintf(" rev %d", s.Revision)
	}
	if len(s.ID) >= 8 {
		out += " id " + s.ID[:8]
	}
	return out
}

// describe shows an operation to people.
func describe(r request, a answer) string {
	out := string(r.Verb)
	if r.Verb != list {
		out += fmt.Sprintf(" %d", r.Slot)
	}
	if r.ID != "" {
		out += fmt.Sprintf(" id %.8s rev %d", r.ID, r.Revision)
	}
	for _, field := range []struct {
		name string
		is   *string
	}{{"content", r.Content}, {"env", r.Env}, {"file", r.File}} {
		if field.is != nil {
			out += fmt.Sprintf(" %s=%q", field.name, *field.is)
		}
	}
	if a.Status == 0 {
		return out + " -> no answer"
	}
	out += fmt.Sprintf(" -> %d", a.Status)
	for _, s := range a.Seen {
		out += " (" + s.String() + ")"
	}
	return out
}
