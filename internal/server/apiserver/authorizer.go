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

// pathAuthorizer decides who may access the server, not what they may do there: the dialects ask for the
// secrets' own rights (see [Access]).
type pathAuthorizer struct {
	// cluster answers for everything that this server does not know itself.
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
	// There are no resources here but the dialects', so all that is left is a plain
	// path, be it one that looks like a resource's.
	return p.cluster.Authorize(ctx, authorizer.AttributesRecord{User: caller, Verb: method(a.GetVerb()), Path: path})
}

// isDescription reports whether a path tells what this server serves. So does /api, where
// nothing is: discovery takes it from 404, but not from 403, that there is no core
// group here.
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

// method turns the verb of a resource back into the method that it came from, as
// rights on plain paths name it.
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
