// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundler

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/bundle"
	"github.com/latchkey-dev/latchkey/internal/policy/limits"
	"github.com/latchkey-dev/latchkey/internal/policy/rules"
)

// Agents returns the adapter for AgentSecrets.
func Agents(l limits.Agent, may *rules.Targets) Adapter {
	return Adapter{
		Name:        "agent",
		Kind:        "AgentSecret",
		Prototype:   &v1alpha1.AgentSecret{},
		EnvBundle:   v1alpha1.BundleAgentEnv,
		FilesBundle: v1alpha1.BundleAgentFiles,
		List:        listAgents,
		Decide:      func(items []bundle.Item) []bundle.Decision { return bundle.DecideAgent(items, l, may) },
		Print:       bundle.PrintAgent,
		Reprint:     bundle.ReprintAgent,
		Lay:         bundle.LayAgent,
	}
}

func listAgents(ctx context.Context, r client.Reader, namespace string, which ...client.ListOption) ([]Member, error) {
	all := &v1alpha1.AgentSecretList{}
	if err := r.List(ctx, all, append(which, client.InNamespace(namespace), client.UnsafeDisableDeepCopy)...); err != nil {
		return nil, err
	}
	out := make([]Member, 0, len(all.Items))
	for i := range all.Items {
		obj := &all.Items[i]
		out = append(out, Member{Object: obj, Status: &obj.Status, Item: bundle.AgentItem(obj)})
	}
	return out, nil
}
