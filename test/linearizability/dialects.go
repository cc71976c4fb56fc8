// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package linearizability

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"

	"github.com/latchkey-dev/latchkey/test/conformance"
)

// coder is the user-secrets API. Its answers never show values: descriptions are what is
// written and read.
type coder struct{}

var (
	envs  = []string{"", "ONE", "TWO"}
	files = []string{"", "~/one", "~/two"}
)

func (coder) pick(rng *rand.Rand, content string) request {
	r := request{Verb: pickVerb(rng), Slot: rng.IntN(slots)}
	env, file := envs[rng.IntN(len(envs))], files[rng.IntN(len(files))]
	switch {
	case r.Verb == create:
		r.Content, r.Env, r.File = &content, &env, &file
	case r.Verb == update:
		r.Content = &content
		if rng.IntN(2) == 0 {
			r.Env = &env
		}
		if rng.IntN(2) == 0 {
			r.File = &file
		}
	}
	return r
}

func (coder) http(f conformance.Face, r request) (method, url, body string) {
	all := f.Coder + "/users/me/secrets"
	one := fmt.Sprintf("%s/s%d", all, r.Slot)
	fields := map[string]any{}
	for name, is := range map[string]*string{"description": r.Content, "env_name": r.Env, "file_path": r.File} {
		if is != nil {
			fields[name] = *is
		}
	}
	if r.Content != nil {
		fields["value"] = *r.Content
	}
	if r.Verb == create {
		fields["name"] = fmt.Sprintf("s%d", r.Slot)
	}
	return call(r.Verb, all, one, fields)
}

func (coder) read(r request, got conformance.Answer) (reply, error) {
	switch got.Status {
	case http.StatusOK, http.StatusCreated:
		return readCoder(r, got.Body)
	case http.StatusNoContent:
		return reply{status: http.StatusOK}, nil
	}
	var problem struct {
		Kind, Message string
		Validations   []struct{ Field string }
	}
	ours := json.Unmarshal(got.Body, &problem) == nil && problem.Kind != "Status"
	switch {
	case got.Status == http.StatusNotFound && ours && problem.Message == "Resource not found or you do not have access to this resource":
		return reply{status: http.StatusNotFound}, nil
	case got.Status == http.StatusNotFound && !ours: // the API server does not know the API at the moment
		return reply{unknown: true}, nil
	case got.Status == http.StatusConflict && ours && len(problem.Validations) > 0:
		return reply{status: http.StatusConflict}, nil
	}
	return reply{}, fmt.Errorf("answer %d %.300s", got.Status, got.Body)
}

func readCoder(r request, body []byte) (reply, error) {
	type shown struct {
		ID, Name, Description string
		Env                   string `json:"env_name"`
		File                  string `json:"file_path"`
	}
	var all []shown
	var err error
	if r.Verb == list {
		err = json.Unmarshal(body, &all)
	} else {
		all = make([]shown, 1)
		err = json.Unmarshal(body, &all[0])
	}
	out := reply{status: http.StatusOK}
	for _, s := range all {
		is := seen{ID: s.ID, Content: s.Description, Env: s.Env, File: s.File}
		if _, scan := fmt.Sscanf(s.Name, "s%d", &is.Slot); scan != nil || is.Slot >= slots {
			return out, fmt.Errorf("a secret %q", s.Name)
		}
		out.seen = append(out.seen, is)
	}
	return out, err
}

// golem is the agent-secrets API, for one environment.
type golem struct {
	environment string
	known       *known
}

func (g golem) pick(rng *rand.Rand, content string) request {
	r := request{Verb: pickVerb(rng), Slot: rng.IntN(slots)}
	is := g.known.about(r.Slot)
	switch {
	case r.Verb == create:
		r.Content = &content
	case r.Verb == list:
	case is.ID == "":
		return request{Verb: list}
	default:
		r.ID, r.Revision = is.ID, is.Revision
		if r.Verb == update {
			r.Content = &content
		}
	}
	return r
}

func (g golem) http(f conformance.Face, r request) (method, url, body string) {
	all, one := f.Golem+"/envs/"+g.environment+"/agent-secrets", f.Golem+"/agent-secrets/"+r.ID
	var fields map[string]any
	switch r.Verb {
	case create:
		fields = map[string]any{
			"path": []string{fmt.Sprintf("p%d", r.Slot)}, "secretType": map[string]any{"type": "Str"}, "secretValue": *r.Content,
		}
	case update:
		fields = map[string]any{"currentRevision": r.Revision, "secretValue": map[string]any{"op": "set", "value": *r.Content}}
	case remove:
		one = fmt.Sprintf("%s/agent-secret/%s?current_revision=%d", f.Golem, r.ID, r.Revision)
	case get, list:
	}
	return call(r.Verb, all, one, fields)
}

func (g golem) read(r request, got conformance.Answer) (reply, error) {
	if got.Status == http.StatusOK {
		out, err := readGolem(r, got.Body)
		if r.Verb != remove {
			g.known.hear(out.seen...)
		}
		return out, err
	}
	var problem struct{ Code string }
	_ = json.Unmarshal(got.Body, &problem) // an answer that is not ours has no code
	switch {
	case got.Status == http.StatusNotFound && (problem.Code == "AGENT_SECRET_NOT_FOUND" || problem.Code == "ENVIRONMENT_NOT_FOUND"):
		return reply{status: http.StatusNotFound}, nil
	case got.Status == http.StatusNotFound && problem.Code == "":
		return reply{unknown: true}, nil
	case got.Status == http.StatusConflict && (problem.Code == "AGENT_SECRET_ALREADY_EXISTS" || problem.Code == "CONCURRENT_UPDATE"):
		return reply{status: http.StatusConflict}, nil
	}
	return reply{}, fmt.Errorf("answer %d %.300s", got.Status, got.Body)
}

func readGolem(r request, body []byte) (reply, error) {
	type shown struct {
		ID       string
		Path     []string
		Revision int
		Value    *string `json:"secretValue"`
	}
	var all struct{ Values []shown }
	var err error
	if r.Verb == list {
		err = json.Unmarshal(body, &all)
	} else {
		all.Values = make([]shown, 1)
		err = json.Unmarshal(body, &all.Values[0])
	}
	out := reply{status: http.StatusOK}
	for _, s := range all.Values {
		is := seen{ID: s.ID, Revision: s.Revision}
		if len(s.Path) != 1 || s.Value == nil {
			return out, fmt.Errorf("a secret with the path %v, without a value: %t", s.Path, s.Value == nil)
		}
		if _, scan := fmt.Sscanf(s.Path[0], "p%d", &is.Slot); scan != nil || is.Slot >= slots {
			return out, fmt.Errorf("a secret with the path %v", s.Path)
		}
		is.Content = *s.Value
		out.seen = append(out.seen, is)
	}
	return out, err
}

// call is what both APIs have in common.
func call(v verb, all, one string, fields map[string]any) (method, url, body string) {
	method, url = map[verb]string{
		create: http.MethodPost, update: http.MethodPatch, remove: http.MethodDelete, get: http.MethodGet, list: http.MethodGet,
	}[v], one
	if v == create || v == list {
		url = all
	}
	if v == create || v == update {
		text, _ := json.Marshal(fields) //nolint:errchkjson // strings and numbers
		body = string(text)
	}
	return method, url, body
}
