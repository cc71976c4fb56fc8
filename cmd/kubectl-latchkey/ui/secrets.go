// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package ui

import (
	"context"
	"net/http"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/revoke"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/usage"
)

// list is the screen of user secrets or of agents' secrets.
type list struct {
	Namespace, Kind    string
	Rows               []row
	Agents             []agentRow
	Used, Max, Percent int
	NotReady           int
	KeyLost, ReadOnly  bool
	NotInjected        bool
}

// secrets shows the user secrets of a namespace.
func (s *Server) secrets(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := asking(r)
	defer cancel()
	l, err := s.listOf(ctx, r.PathValue("ns"))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	items, err := s.cluster.Users(ctx, l.Namespace, metav1.ListOptions{})
	if err != nil {
		s.fail(w, r, err)
		return
	}
	l.Kind = "secrets"
	for _, i := range items {
		l.Rows = append(l.Rows, s.rowOf(i))
		l.count(i)
	}
	if published, err := s.cluster.Published(ctx); err == nil {
		l.meter(len(items), published.Limits.User.Secrets)
	}
	s.renderList(w, r, l)
}

// renderList shows a list, or its rows alone where the page asks for what changed.
func (s *Server) renderList(w http.ResponseWriter, r *http.Request, l list) {
	name := l.Kind
	if r.Header.Get(liveHeader) != "" {
		name = strings.TrimSuffix(l.Kind, "s") + "-rows"
	}
	s.render(w, http.StatusOK, name, l)
}

// noNamespace says that a namespace is not there.
type noNamespace struct{ name string }

func (e *noNamespace) Error() string { return "There is no namespace " + e.name + " in this cluster." }

// listOf looks at the namespace. Who may not see it may still see its secrets.
func (s *Server) listOf(ctx context.Context, namespace string) (list, error) {
	l := list{Namespace: namespace, ReadOnly: s.readOnly}
	found, err := s.cluster.Core.Namespaces().Get(ctx, namespace, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return l, &noNamespace{namespace}
	case err == nil:
		injection := found.Labels[v1alpha1.LabelInjection]
		l.NotInjected = injection == ""
	case !apierrors.IsForbidden(err):
		return l, cluster.Explain(err)
	}
	return l, nil
}

func (l *list) count(i cluster.Item) {
	if ready := i.Ready(); ready != nil && ready.Status == "False" {
		l.NotReady++
		l.KeyLost = l.KeyLost || ready.Reason == v1alpha1.ReasonKeyNotFound
	}
}

func (l *list) meter(used, most int) {
	l.Used, l.Max = used, most
	if most > 0 {
		l.Percent = min(100, 100*used/most)
	}
}

// find returns the object of a name; nil, after an answer, where there is none.
func (s *Server) find(ctx context.Context, r *http.Request, of func(error)) *cluster.Item {
	item, err := s.cluster.GetUser(ctx, r.PathValue("ns"), r.PathValue("name"))
	if err != nil {
		of(err)
		return nil
	}
	return &item
}

// detail is the screen of one secret.
type detail struct {
	row
	Live     bool // asked for by the page itself, to stand in the place of what it shows
	Landed   []landing
	Claims   []v1alpha1.Claim
	SourceOf string
}

type landing struct{ What, Wanted, Secret, Key string }

// secret shows one.
func (s *Server) secret(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := asking(r)
	defer cancel()
	item := s.find(ctx, r, func(err error) { s.fail(w, r, err) })
	if item == nil {
		return
	}
	d := detail{row: s.rowOf(*item), Claims: item.Status().Claims}
	for _, t := range []struct {
		what, wanted string
		landed       *v1alpha1.Landing
	}{{"Variable", item.Env(), item.Status().Env}, {"File", item.File(), item.Status().File}} {
		if t.wanted == "" {
			continue
		}
		l := landing{What: t.what, Wanted: t.wanted}
		if t.landed != nil {
			l.Secret, l.Key = t.landed.SecretName, t.landed.Key
		}
		d.Landed = append(d.Landed, l)
	}
	if from := item.User.Spec.ValueFrom; from != nil {
		d.SourceOf = from.SecretKeyRef.Name + "/" + from.SecretKeyRef.Key
	}
	name := "secret"
	if d.Live = r.Header.Get(liveHeader) != ""; d.Live {
		name = "secret-facts"
	}
	s.render(w, http.StatusOK, name, d)
}

// inUse is who has a secret, and whether its old value can be revoked.
type inUse struct {
	Namespace, Name string
	Answer          revoke.Answer
	Safe            bool
	Verdict         string
	Remedies        []string
	Trouble         string
	// Soon reports whether the answer changes by itself within minutes.
	Soon bool
	err  error
}

func (s *Server) inUseOf(ctx context.Context, item cluster.Item) inUse {
	u := inUse{Namespace: item.Meta().Namespace, Name: item.Meta().Name}
	pods, err := s.cluster.Pods(ctx, item.Meta().Namespace)
	if err != nil {
		u.Trouble, u.err = err.Error(), err
		return u
	}
	u.Answer = revoke.Of(item, pods)
	u.Soon = slices.ContainsFunc(u.Answer.Uses, func(u usage.Use) bool { return u.State == usage.Settling || u.State == usage.Unsure })
	u.Safe, u.Verdict, u.Remedies = u.Answer.IsSafe(false), u.Answer.Verdict(false), u.Answer.Remedies(false, u.Namespace)
	return u
}

// usage shows who has a secret.
func (s *Server) usage(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := asking(r)
	defer cancel()
	item := s.find(ctx, r, func(err error) { s.fail(w, r, err) })
	if item == nil {
		return
	}
	u := s.inUseOf(ctx, *item)
	if u.err != nil && troubleOf(u.err).Down() {
		s.fail(w, r, u.err)
		return
	}
	s.render(w, http.StatusOK, "usage", u)
}
