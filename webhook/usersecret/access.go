// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package usersecret

import (
	authorizationv1 "k8s.io/api/authorization/v1"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
)

// getSecret is to get a Secret.
func getSecret(name string) authorizationv1.ResourceAttributes {
	return authorizationv1.ResourceAttributes{Verb: "get", Version: "v1", Resource: "secrets", Name: name}
}

// reads is what an author needs to be able to do to read the value of a UserSecret. No
// API shows it; both bundles do, wherever the object's targets put it.
var reads = []authorizationv1.ResourceAttributes{getSecret(v1alpha1.BundleUserEnv), getSecret(v1alpha1.BundleUserFiles)}
