// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package agentbundle makes a tenant's AgentSecrets into the native Secrets
// latchkey-agent-env and latchkey-agent-files.
package agentbundle

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/controllers/bundler"
	"github.com/latchkey-dev/latchkey/internal/bundle"
	"github.com/latchkey-dev/latchkey/internal/limits"
	"github.com/latchkey-dev/latchkey/internal/rules"
)

// Adapter returns what is particular to AgentSecrets.
func Adapter(l limits.Agent, may *rules.Targets) bundler.Adapter {
	return bundler.Adapter{
		Name:        "agent",
		Kind:        "AgentSecret",
		Prototype:   &v1alpha1.AgentSecret{},
		EnvBundle:   v1alpha1.BundleAgentEnv,
		FilesBundle: v1alpha1.BundleAgentFiles,
		List:        list,
		Decide:      func(items []bundle.Item) []bundle.Decision { return bundle.DecideAgent(items, l, may) },
		Print:       bundle.PrintAgent,
		Reprint:     bundle.ReprintAgent,
		Lay:         bundle.LayAgent,
	}
}

func list(ctx context.Context, r client.Reader, namespace string) ([]bundler.Member, error) {
	all := &v1alpha1.AgentSecretList{}
	if err := r.List(ctx, all, client.InNamespace(namespace)); err != nil {
		return nil, err
	}
	out := make([]bundler.Member, 0, len(all.Items))
	for i := range all.Items {
		obj := &all.Items[i]
		out = append(out, bundler.Member{Object: obj, Status: &obj.Status, Item: bundle.AgentItem(obj)})
	}
	return out, nil
}
