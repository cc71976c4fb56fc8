// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package ui

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/users"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

// form is what is asked of a person who adds or changes a user secret; never a value.
type form struct {
	Namespace, Object                  string
	Name, Env, File, Description, From string
	Disabled                           bool
	// Generation is that of the object as the form shows it.
	Generation int64
}

// form shows the form of a new secret, or of one that is there.
func (s *Server) form(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := asking(r)
	defer cancel()
	f := form{Namespace: r.PathValue("ns"), Object: r.PathValue("name")}
	if f.Object != "" {
		item := s.find(ctx, r, func(err error) { s.fail(w, r, err) })
		if item == nil {
			return
		}
		spec := item.User.Spec
		f.Name, f.Env, f.File, f.Description = item.Known(), spec.EnvName, spec.FilePath, spec.Description
		f.Disabled = spec.Enabled != nil && !*spec.Enabled
		f.Generation = item.Meta().Generation
		if spec.ValueFrom != nil {
			f.From = spec.ValueFrom.SecretKeyRef.Name + "/" + spec.ValueFrom.SecretKeyRef.Key
		}
	}
	s.render(w, http.StatusOK, "form", f)
}

func draftOf(r *http.Request) users.Draft {
	d := users.Draft{
		Name: r.PostFormValue("name"), Env: strings.TrimSpace(r.PostFormValue("env")), File: strings.TrimSpace(r.PostFormValue("file")),
		Description: strings.TrimSpace(typed(r, "description")), Disabled: r.PostFormValue("enabled") == "",
	}
	if text := withoutNewline(typed(r, "value")); text != "" {
		value := seal.ValueOf(text)
		d.Value = &value
	}
	return d
}

// withoutNewline drops the newline that ends a single line, as the command line does: it
// comes with what was copied.
func withoutNewline(text string) string {
	line, ended := strings.CutSuffix(text, "\n")
	if !ended || strings.Contains(line, "\n") {
		return text
	}
	return line
}

// saved says what was done; the page closes the form and shows what is there now.
func (s *Server) saved(w http.ResponseWriter, text string) {
	w.Header().Set("HX-Trigger", "saved")
	s.render(w, http.StatusOK, "said", text)
}

func (s *Server) create(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := asking(r)
	defer cancel()
	draft := draftOf(r)
	p := problemsIn(draft)
	if draft.Value == nil {
		p.add("value", "Type or paste the value.")
	}
	if !p.empty() {
		s.render(w, http.StatusUnprocessableEntity, "problems", p)
		return
	}
	obj, err := users.New(ctx, s.cluster, r.PathValue("ns"), draft)
	if err == nil {
		_, err = s.cluster.CreateUser(ctx, obj, false)
	}
	if err != nil {
		s.refuse(w, err)
		return
	}
	s.saved(w, draft.Name+" was added.")
}

func (s *Server) update(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := asking(r)
	defer cancel()
	item := s.find(ctx, r, func(err error) { s.refuse(w, err) })
	if item == nil {
		return
	}
	// A form holds every field: one that somebody else has changed since would be changed back.
	if r.PostFormValue("generation") != strconv.FormatInt(item.Meta().Generation, 10) {
		s.say(w, http.StatusConflict, item.Known()+" was changed after this form was opened. Copy what you typed, close the form and open it again.")
		return
	}
	draft := draftOf(r)
	draft.Name = item.Known()
	if p := problemsIn(draft); !p.empty() {
		s.render(w, http.StatusUnprocessableEntity, "problems", p)
		return
	}
	spec := changes(item.User.Spec, draft)
	if err := draft.WithValue(ctx, s.cluster, *item, spec); err != nil {
		s.refuse(w, err)
		return
	}
	if len(spec) == 0 {
		s.saved(w, "Nothing was changed.")
		return
	}
	done, err := s.cluster.Patch(ctx, *item, spec, false)
	if err != nil {
		s.refuse(w, err)
		return
	}
	text := draft.Name + " was changed."
	if done.Meta().ResourceVersion == item.Meta().ResourceVersion {
		text = draft.Name + " had these already."
	} else if draft.Value != nil {
		text = draft.Name + " has a new value. Pods that run may still have the old one: see where it is used."
	}
	s.saved(w, text)
}

// changes are the fields that a person changed.
func changes(spec v1alpha1.UserSecretSpec, d users.Draft) map[string]any {
	changed := map[string]any{}
	for _, f := range []struct{ field, was, is string }{
		{"envName", spec.EnvName, d.Env}, {"filePath", spec.FilePath, d.File}, {"description", spec.Description, d.Description},
	} {
		if f.was != f.is {
			changed[f.field] = f.is
		}
	}
	if was := spec.Enabled != nil && !*spec.Enabled; was != d.Disabled {
		changed["enabled"] = !d.Disabled
	}
	return changed
}

func (s *Server) enable(w http.ResponseWriter, r *http.Request) {
	enabled := r.PostFormValue("enabled") != ""
	word := " is disabled: new pods do not find it."
	if enabled {
		word = " is enabled again."
	}
	s.onItem(w, r, word, func(ctx context.Context, item cluster.Item) error {
		_, err := s.cluster.Patch(ctx, item, map[string]any{"enabled": enabled}, false)
		return err
	})
}

// onItem changes the object of a request, and says so.
func (s *Server) onItem(w http.ResponseWriter, r *http.Request, word string, do func(context.Context, cluster.Item) error) {
	ctx, cancel := asking(r)
	defer cancel()
	item := s.find(ctx, r, func(err error) { s.refuse(w, err) })
	if item == nil {
		return
	}
	if err := do(ctx, *item); err != nil {
		s.refuse(w, err)
		return
	}
	s.saved(w, item.Known()+word)
}

// removal asks before a secret is deleted, and shows who has it.
func (s *Server) removal(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := asking(r)
	defer cancel()
	item := s.find(ctx, r, func(err error) { s.fail(w, r, err) })
	if item == nil {
		return
	}
	s.render(w, http.StatusOK, "removal", struct {
		inUse
		Known string
	}{s.inUseOf(ctx, *item), item.Known()})
}

func (s *Server) remove(w http.ResponseWriter, r *http.Request) {
	s.onItem(w, r, " was deleted.", func(ctx context.Context, item cluster.Item) error { return s.cluster.Delete(ctx, item, false) })
}
