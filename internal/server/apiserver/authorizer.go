// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"context"
	"slices"
	"strings"

	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
)

// pathAuthorizer decides who may access the server. The dialects check the rights on
// secrets themselves (see [Access]).
type pathAuthorizer struct {
	// cluster decides about all paths that this server does not know itself.
	cluster authorizer.UnconditionalAuthorizer
}

var _ authorizer.UnconditionalAuthorizer = pathAuthorizer{}

// Authorize implements authorizer.UnconditionalAuthorizer.
func (p pathAuthorizer) Authorize(ctx context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
	path := a.GetPath()
	if isProbe(path) {
		return authorizer.DecisionAllow, "probes are open to all", nil
	}
	caller := a.GetUser()
	if caller == nil || !slices.Contains(caller.GetGroups(), user.AllAuthenticated) {
		return authorizer.DecisionDeny, "only the probes are open to those who are not authenticated", nil
	}
	if dialectOf(path) != noDialect {
		return authorizer.DecisionAllow, "the dialect checks the right on the secrets", nil
	}
	if isDescription(path) {
		return authorizer.DecisionAllow, "discovery and OpenAPI are open to all who are authenticated", nil
	}
	// This server has no resources except the dialects', so what remains is a plain
	// path, even if it looks like a resource.
	return p.cluster.Authorize(ctx, authorizer.AttributesRecord{User: caller, Verb: method(a.GetVerb()), Path: path})
}

// isDescription reports whether a path describes what this server serves. /api is one,
// although nothing is there: a client's discovery concludes from a 404, but not from a
// 403, that there is no core group.
func isDescription(path string) bool {
	switch path = strings.TrimSuffix(path, "/"); path {
	case "/api", "/apis", "/openapi/v2", "/openapi/v3":
		return true
	}
	for _, gv := range []string{coderGroup.Group, golemGroup.Group, coderGroup.String(), golemGroup.String()} {
		if path == "/apis/"+gv {
			return true
		}
	}
	return strings.HasPrefix(path, "/openapi/v3/")
}

// method turns the verb of a resource back into the method, which rights on plain paths
// use.
func method(verb string) string {
	switch verb {
	case "list", "watch":
		return "get"
	case "create":
		return "post"
	case "update":
		return "put"
	case "deletecollection":
		return "delete"
	}
	return verb
}
