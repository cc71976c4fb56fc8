// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"slices"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/usage"
	"github.com/latchkey-dev/latchkey/internal/bundle"
)

// Places returns where the value lies, or would lie if it were projected: what is taken
// out of the bundles stays in containers.
func (i Item) Places() []usage.Place {
	var places []usage.Place
	add := func(secret, key string) {
		if key != "" && !slices.Contains(places, usage.Place{Secret: secret, Key: key}) {
			places = append(places, usage.Place{Secret: secret, Key: key})
		}
	}
	if l := i.Status().Env; l != nil {
		add(l.SecretName, l.Key)
	}
	if l := i.Status().File; l != nil {
		add(l.SecretName, l.Key)
	}
	if i.User != nil {
		add(v1alpha1.BundleUserEnv, i.User.Spec.EnvName)
		if i.User.Spec.FilePath != "" {
			add(v1alpha1.BundleUserFiles, bundle.UserFileKey(i.User.SecretName()))
		}
		return places
	}
	add(v1alpha1.BundleAgentFiles, bundle.TreeKey) // the document has every value
	return places
}
