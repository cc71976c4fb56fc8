// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package ui

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/agents"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/notation"
	"github.com/latchkey-dev/latchkey/internal/seal"
	"github.com/latchkey-dev/latchkey/internal/typedvalue"
)

// agentRow is a secret of agents in the tree of paths.
type agentRow struct {
	row
	// Above are the segments that the row before does not have, and that begin a branch.
	Above    []branch
	Leaf     string
	Depth    int
	Type     string
	Revision int64
	HasValue bool
}

type branch struct {
	Name  string
	Depth int
}

func (s *Server) agentsOf(r *http.Request) *agents.Agents {
	return agents.New(s.cluster, r.PathValue("ns"))
}

// agents shows the secrets of agents as a tree, without values.
func (s *Server) agents(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := asking(r)
	defer cancel()
	l, err := s.listOf(ctx, r.PathValue("ns"))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	a := s.agentsOf(r)
	all, err := a.List(ctx, metav1.ListOptions{})
	if err != nil {
		s.fail(w, r, cluster.Explain(err))
		return
	}
	l.Kind = "agents"
	var before []string
	for _, secret := range all {
		item := cluster.Item{Agent: secret}
		l.Agents = append(l.Agents, s.agentRowOf(item, before))
		before = secret.Spec.Path
		l.count(item)
	}
	if published, err := s.cluster.Published(ctx); err == nil {
		l.meter(len(all), published.Limits.Agent.Secrets)
	}
	s.renderList(w, r, l)
}

func (s *Server) agentRowOf(i cluster.Item, before []string) agentRow {
	path := i.Agent.Spec.Path
	leaf := len(path) - 1
	row := agentRow{
		row: s.rowOf(i), Leaf: path[leaf], Depth: leaf, Type: agents.TypeText(i.Agent), Revision: i.Agent.Spec.Revision,
		HasValue: i.Agent.Spec.SealedValue != "",
	}
	same := 0
	for same < leaf && same < len(before)-1 && path[same] == before[same] {
		same++
	}
	for n := same; n < leaf; n++ {
		row.Above = append(row.Above, branch{path[n], n})
	}
	return row
}

// agentForm is what is asked of a person who adds or changes a secret of agents.
type agentFormData struct {
	Namespace, Object, Path, Type, Kind string
	Revision                            int64
}

func (s *Server) agentForm(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := asking(r)
	defer cancel()
	f := agentFormData{Namespace: r.PathValue("ns"), Object: r.PathValue("name")}
	if f.Object != "" {
		a := s.agentsOf(r)
		found, err := a.Named(ctx, f.Object)
		if err != nil {
			s.fail(w, r, cluster.Explain(err))
			return
		}
		f.Path, f.Type, f.Revision = agents.PathText(found.Spec.Path), agents.TypeText(found), found.Spec.Revision
		if t, err := agents.Type(found); err == nil {
			f.Kind = t.Kind()
		}
	}
	s.render(w, http.StatusOK, "agent-form", f)
}

// setAgent stores a value, by the type of the secret.
func (s *Server) setAgent(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := asking(r)
	defer cancel()
	a := s.agentsOf(r)
	var present *v1alpha1.AgentSecret
	if name := r.PathValue("name"); name != "" {
		var err error
		if present, err = a.Named(ctx, name); err != nil {
			s.refuse(w, cluster.Explain(err))
			return
		}
	}
	write, p := agentWrite(r, present)
	if !p.empty() {
		s.render(w, http.StatusUnprocessableEntity, "problems", p)
		return
	}
	published, err := s.cluster.Published(ctx)
	if err != nil {
		s.refuse(w, err)
		return
	}
	write.Key = published.Keys.Newest
	stored, created, err := a.Set(ctx, present, write)
	var other *agents.OtherRevision
	if errors.As(err, &other) {
		s.say(w, http.StatusConflict, fmt.Sprintf("Somebody set it meanwhile: it has revision %d now, and this form is of revision %d. "+
			"Nothing was written. Close the form, look at it and edit it again.", other.Is, other.Want))
		return
	}
	if err != nil {
		s.refuse(w, cluster.Explain(err))
		return
	}
	word := " has a new value, revision " + strconv.FormatInt(stored.Spec.Revision, 10) + "."
	if created {
		word = " was added."
	}
	s.saved(w, agents.PathText(stored.Spec.Path)+word)
}

func agentWrite(r *http.Request, present *v1alpha1.AgentSecret) (agents.Write, problems) {
	var p problems
	var err error
	write := agents.Write{Path: r.PostFormValue("name")}
	t := (*typedvalue.Type)(nil)
	if present != nil {
		write.Path = agents.PathText(present.Spec.Path)
		if t, err = agents.Type(present); err != nil {
			p.add("type", "Its type cannot be read.")
		}
		if revision, err := strconv.ParseInt(r.PostFormValue("revision"), 10, 64); err == nil {
			write.IfRevision = &revision
		}
	} else {
		if _, err := agents.ParsePath(write.Path); err != nil {
			p.add("name", sentence(err.Error()))
		}
		if t, err = notation.Parse(strings.TrimSpace(r.PostFormValue("type"))); err != nil {
			p.add("type", sentence(err.Error()))
			t = nil
		}
		write.Type = t
	}
	text := withoutNewline(typed(r, "value"))
	switch {
	case text == "":
		p.add("value", "Type or paste the value.")
	case t != nil:
		write.Value = agents.AsJSON(t, seal.ValueOf(text), false)
		if problem := mismatch(t, write.Value); problem != "" {
			p.add("value", problem)
		}
	}
	return write, p
}

// mismatch says how a value does not fit its type, without the value.
func mismatch(t *typedvalue.Type, value []byte) string {
	if _, err := typedvalue.Check(t, value); err != nil {
		return sentence(err.Error())
	}
	return ""
}

// reveal shows the value of a secret of agents to who may get it. It is a POST, so that no
// address shows a value.
func (s *Server) reveal(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := asking(r)
	defer cancel()
	a := s.agentsOf(r)
	found, err := a.Named(ctx, r.PathValue("name"))
	if err != nil {
		s.fail(w, r, cluster.Explain(err))
		return
	}
	value, err := a.Reveal(cluster.Unlogged(ctx), found)
	if err != nil {
		t := troubleOf(cluster.Explain(err))
		why, _, _ := strings.Cut(t.Text, "\n")
		t.Text = why
		s.render(w, t.status, "hidden", t)
		return
	}
	t, err := agents.Type(found)
	if err != nil {
		s.render(w, http.StatusConflict, "hidden", trouble{Text: "Its type cannot be read."})
		return
	}
	s.render(w, http.StatusOK, "revealed", struct{ Name, Path, Value string }{
		found.Name, agents.PathText(found.Spec.Path), string(typedvalue.PrintRaw(t, value.Reveal())),
	})
}
