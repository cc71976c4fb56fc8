// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
)

// denied is how the API server says that a right is missing.
var denied = regexp.MustCompile(`User "([^"]*)" cannot (\w+) resource "([^"]+)" in API group "([^"]*)"(?: in the namespace "([^"]*)")?`)

// IsForbidden reports whether a right was missing.
func IsForbidden(err error) bool { return apierrors.IsForbidden(err) }

// Explain says what an error of the API server means for the person, with the exit code
// that it deserves.
func Explain(err error) error {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return err
	}
	if m := denied.FindStringSubmatch(err.Error()); m != nil && apierrors.IsForbidden(err) {
		return missingRight(err, m[1], m[2], m[3], m[4], m[5])
	}
	s := status.Status()
	switch {
	case apierrors.IsInvalid(err) || apierrors.IsForbidden(err) || apierrors.IsBadRequest(err) || apierrors.IsConflict(err) ||
		apierrors.IsAlreadyExists(err):
		return &cli.Error{Code: cli.CodeRefused, Err: &explained{message: "refused: " + causes(s), err: err}}
	case apierrors.IsUnauthorized(err):
		return &cli.Error{Code: cli.CodeFailed, Err: &explained{message: "the cluster does not know you: log in again", err: err}}
	case apierrors.IsNotFound(err) && (s.Details == nil || s.Details.Name == ""):
		return &cli.Error{Code: cli.CodeFailed, Err: &explained{
			message: "this cluster does not serve latchkey.dev/v1alpha1: Latchkey is not installed. Try: kubectl get crd usersecrets.latchkey.dev", err: err,
		}}
	}
	return err
}

// explained is an error in other words.
type explained struct {
	message string
	err     error
}

func (e *explained) Error() string { return e.message }

func (e *explained) Unwrap() error { return e.err }

// causes lists what is wrong, a line for each field where there are several.
func causes(s metav1.Status) string {
	if s.Details == nil || len(s.Details.Causes) == 0 {
		return s.Message
	}
	var lines []string
	for _, c := range s.Details.Causes {
		if c.Field == "" || c.Field == "<nil>" {
			lines = append(lines, c.Message)
		} else {
			lines = append(lines, c.Field+": "+c.Message)
		}
	}
	if len(lines) == 1 {
		return lines[0]
	}
	return "\n  " + strings.Join(lines, "\n  ")
}

func missingRight(err error, user, verb, resource, group, namespace string) error {
	what := resource
	if group != "" {
		what += "." + group
	}
	where, flag := "in the whole cluster", ""
	if namespace != "" {
		where, flag = "in namespace "+namespace, " -n "+namespace
	}
	var b strings.Builder
	_, _ = fmt.Fprintf(&b, "%s may not %s %s %s", user, verb, what, where)
	_, _ = fmt.Fprintf(&b, "\nThe ClusterRole %s has that right. An administrator of the namespace grants it:", roleFor(verb, resource))
	_, _ = fmt.Fprintf(&b, "\n  kubectl%s create rolebinding latchkey-%s --clusterrole=%[2]s --user=%s", flag, roleFor(verb, resource), user)
	if group == "latchkey.dev" {
		_, _ = fmt.Fprint(&b, "\nThe user of a namespace by its label latchkey.dev/user needs no role for the REST API, such as with the coder command line: docs/rest-user-secrets.md")
	}
	return &cli.Error{Code: cli.CodeRefused, Err: &explained{message: b.String(), err: err}}
}

func roleFor(verb, resource string) string {
	switch verb {
	case "get", "list", "watch":
		if resource != "secrets" && !strings.Contains(resource, "/") {
			return "view"
		}
	}
	return "edit"
}
