// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundler

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/approval"
	"github.com/latchkey-dev/latchkey/internal/bundle"
	"github.com/latchkey-dev/latchkey/internal/digest"
	"github.com/latchkey-dev/latchkey/internal/policy"
	"github.com/latchkey-dev/latchkey/internal/policy/limits"
	"github.com/latchkey-dev/latchkey/internal/policy/rules"
)

// Users returns the adapter for UserSecrets. It needs the targets that they may have,
// and the key of the approvals of their sources.
func Users(l limits.User, may *rules.Targets, key digest.Key) Adapter {
	return Adapter{
		Name:        "user",
		Kind:        "UserSecret",
		Prototype:   &v1alpha1.UserSecret{},
		EnvBundle:   v1alpha1.BundleUserEnv,
		FilesBundle: v1alpha1.BundleUserFiles,
		List:        listUsers(key),
		Decide:      func(items []bundle.Item) []bundle.Decision { return bundle.DecideUser(items, l, may) },
		Print:       bundle.PrintUser,
		Reprint:     bundle.PrintUser,
		Lay:         bundle.LayUser,
	}
}

func listUsers(key digest.Key) func(context.Context, client.Reader, string, ...client.ListOption) ([]Member, error) {
	return func(ctx context.Context, r client.Reader, namespace string, which ...client.ListOption) ([]Member, error) {
		all := &v1alpha1.UserSecretList{}
		if err := r.List(ctx, all, append(which, client.InNamespace(namespace), client.UnsafeDisableDeepCopy)...); err != nil {
			return nil, err
		}
		// Objects of an import that is not committed are not visible.
		visible := policy.Visible(all.Items)
		out := make([]Member, 0, len(visible))
		for _, obj := range visible {
			item := bundle.UserItem(obj, approval.Valid(key, obj))
			out = append(out, Member{Object: obj, Status: &obj.Status, Item: item})
		}
		return out, nil
	}
}
