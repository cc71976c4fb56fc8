// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package ui

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/keys"
)

// overview is what an administrator sees: numbers, no values.
type overview struct {
	Plugin, Server                        string
	Users, Environments                   int
	UserSecrets, AgentSecrets, Namespaces int
	NotReady                              []reasonCount
	Keys                                  []keys.Key
	KeyTrouble, NamespaceTrouble          string
	Now                                   time.Time
}

type reasonCount struct {
	Reason string
	Count  int
}

// overview shows the whole cluster to who may list it.
func (s *Server) overview(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := asking(r)
	defer cancel()
	o := overview{Plugin: s.options.Version}
	users, err := s.cluster.Users(ctx, "", metav1.ListOptions{})
	if err != nil {
		s.fail(w, r, err)
		return
	}
	agents, err := s.cluster.Agents(ctx, "", metav1.ListOptions{})
	if err != nil {
		s.fail(w, r, err)
		return
	}
	o.UserSecrets, o.AgentSecrets = len(users), len(agents)
	o.countReasons(slices.Concat(users, agents))
	if published, err := s.cluster.Published(ctx); err == nil {
		o.Server = published.Version
	}
	if namespaces, err := s.cluster.Core.Namespaces().List(ctx, metav1.ListOptions{}); err != nil {
		o.NamespaceTrouble = cluster.Explain(err).Error()
	} else {
		for _, n := range namespaces.Items {
			if n.Labels[v1alpha1.LabelUser] != "" {
				o.Users++
			}
			if n.Labels[v1alpha1.LabelEnvironment] != "" {
				o.Environments++
			}
		}
	}
	sealing := keys.New(s.cluster)
	if o.Keys, err = sealing.List(ctx); err == nil {
		err = sealing.Count(ctx, o.Keys)
	}
	if err != nil {
		o.KeyTrouble = cluster.Explain(err).Error()
	}
	name := "overview"
	if r.Header.Get(liveHeader) != "" {
		name = "overview-facts"
	}
	s.render(w, http.StatusOK, name, o)
}

func (o *overview) countReasons(items []cluster.Item) {
	counts, namespaces := map[string]int{}, map[string]bool{}
	for _, i := range items {
		namespaces[i.Meta().Namespace] = true
		if ready := i.Ready(); ready != nil && ready.Status == "False" {
			counts[ready.Reason]++
		}
	}
	o.Namespaces = len(namespaces)
	for reason, n := range counts {
		o.NotReady = append(o.NotReady, reasonCount{Reason: reason, Count: n})
	}
	slices.SortFunc(o.NotReady, func(a, b reasonCount) int { return cmp.Or(b.Count-a.Count, cmp.Compare(a.Reason, b.Reason)) })
}
