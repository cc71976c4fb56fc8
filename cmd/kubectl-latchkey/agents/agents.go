// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package agents is what the commands below agent do: it reads and writes AgentSecrets
// with the caller's rights. It seals values before they leave, and sees one in plain only
// where the agent-secrets API gives it to the caller.
package agents

import (
	"context"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/notation"
	"github.com/latchkey-dev/latchkey/internal/typedvalue"
	"github.com/latchkey-dev/latchkey/internal/typedvalue/agentpath"
)

// Agents are the AgentSecrets of a namespace.
type Agents struct {
	cluster   *cluster.Cluster
	namespace string
	// DryRun has the cluster store nothing; with SendNothing it is not even asked.
	DryRun, SendNothing bool
}

// New returns the AgentSecrets of a namespace.
func New(c *cluster.Cluster, namespace string) *Agents {
	return &Agents{cluster: c, namespace: namespace}
}

// ParsePath reads a path whose segments are separated by slashes.
func ParsePath(text string) ([]string, error) {
	path, err := agentpath.Canonical(strings.Split(strings.Trim(text, "/"), "/"))
	if err != nil {
		return nil, fmt.Errorf("path %q: %w", text, err)
	}
	return path, nil
}

// PathText returns a path as ParsePath reads it.
func PathText(path []string) string { return strings.Join(path, "/") }

// List returns the AgentSecrets in the order of their paths.
func (a *Agents) List(ctx context.Context, options metav1.ListOptions) ([]*v1alpha1.AgentSecret, error) {
	items, err := a.cluster.Agents(ctx, a.namespace, options)
	if err != nil {
		return nil, err
	}
	all := make([]*v1alpha1.AgentSecret, len(items))
	for i := range items {
		all[i] = items[i].Agent
	}
	slices.SortFunc(all, func(x, y *v1alpha1.AgentSecret) int { return slices.Compare(x.Spec.Path, y.Spec.Path) })
	return all, nil
}

// Get returns the AgentSecret at a path, as people write it or as it is stored, or of
// that name; nil for none.
func (a *Agents) Get(ctx context.Context, text string) (*v1alpha1.AgentSecret, error) {
	all, err := a.List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	// As it is stored first: to bring a canonical path into canonical form can change it.
	stored := strings.Split(strings.Trim(text, "/"), "/")
	path, pathErr := ParsePath(text)
	for _, is := range []func(*v1alpha1.AgentSecret) bool{
		func(s *v1alpha1.AgentSecret) bool { return slices.Equal(s.Spec.Path, stored) },
		func(s *v1alpha1.AgentSecret) bool { return pathErr == nil && slices.Equal(s.Spec.Path, path) },
		func(s *v1alpha1.AgentSecret) bool { return s.Name == text },
	} {
		if i := slices.IndexFunc(all, is); i >= 0 {
			return all[i], nil
		}
	}
	return nil, nil
}

// Named returns the AgentSecret of a metadata.name.
func (a *Agents) Named(ctx context.Context, name string) (*v1alpha1.AgentSecret, error) {
	i, err := a.cluster.GetAgent(ctx, a.namespace, name)
	return i.Agent, err
}

// TypeText returns the type of an AgentSecret for people.
func TypeText(s *v1alpha1.AgentSecret) string {
	if t, err := Type(s); err == nil {
		return notation.Print(t)
	}
	return "?"
}

// Type returns the type of an AgentSecret.
func Type(s *v1alpha1.AgentSecret) (*typedvalue.Type, error) {
	return typedvalue.ParseStoredType(s.Spec.SecretType.Raw)
}
