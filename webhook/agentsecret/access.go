// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package agentsecret

import (
	authorizationv1 "k8s.io/api/authorization/v1"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
)

// reads is the right that an author needs to read the value of an AgentSecret: the one
// that REST requires.
func reads(name string) []authorizationv1.ResourceAttributes {
	return []authorizationv1.ResourceAttributes{{
		Verb: "get", Group: v1alpha1.GroupVersion.Group, Version: v1alpha1.GroupVersion.Version,
		Resource: "agentsecrets", Subresource: "value", Name: name,
	}}
}
