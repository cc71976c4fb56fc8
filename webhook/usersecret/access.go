// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package usersecret

import (
	authorizationv1 "k8s.io/api/authorization/v1"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
)

// getSecret is the right to get a Secret.
func getSecret(name string) authorizationv1.ResourceAttributes {
	return authorizationv1.ResourceAttributes{Verb: "get", Version: "v1", Resource: "secrets", Name: name}
}

// reads are the rights that an author needs to read the value of a UserSecret. No API
// returns it, but both bundles contain it, depending on the object's targets.
var reads = []authorizationv1.ResourceAttributes{getSecret(v1alpha1.BundleUserEnv), getSecret(v1alpha1.BundleUserFiles)}
