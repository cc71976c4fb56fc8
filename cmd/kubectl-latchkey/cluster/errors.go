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
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
)

// IsForbidden reports whether a right was missing.
func IsForbidden(err error) bool { return apierrors.IsForbidden(err) }

// Explain says what an error of the API server, or on the way to it, means for the person:
// a sentence, what to do next, and the exit code that it deserves. An error that says so
// already stays as it is.
func Explain(err error) error { return at("", "", err) }

// at is Explain for a request about a resource in a namespace.
func at(namespace, resource string, err error) error {
	var known *cli.Error
	var status apierrors.APIStatus
	switch {
	case err == nil || errors.As(err, &known):
		return err
	case !errors.As(err, &status):
		return unreachable(err)
	}
	if right, is := Denied(err); is {
		return Lacking(err, right)
	}
	s := status.Status()
	say := func(code int, next, format string, args ...any) error {
		return &cli.Error{Code: code, Err: &explained{message: strings.TrimSuffix(fmt.Sprintf(format, args...), ".") + ". Try: " + next, err: err}}
	}
	in := ""
	if namespace != "" {
		in = " -n " + namespace
	}
	switch {
	case apierrors.IsUnauthorized(err):
		return say(cli.CodeFailed, "kubectl auth whoami", "the cluster does not know you: log in again, your login is wrong or has expired")
	case apierrors.IsNotFound(err) && (s.Details == nil || s.Details.Name == ""):
		return say(cli.CodeFailed, "kubectl latchkey doctor --system", "this cluster does not serve %s: Latchkey is not installed", v1alpha1.GroupVersion)
	case apierrors.IsNotFound(err) && s.Details.Kind == "namespaces":
		return say(cli.CodeRefused, "kubectl get namespaces", "namespace %s does not exist", s.Details.Name)
	case apierrors.IsNotFound(err):
		return say(cli.CodeRefused, "kubectl latchkey list"+in, "%s %s is not there, or was deleted meanwhile", s.Details.Kind, s.Details.Name)
	case apierrors.IsConflict(err):
		return say(cli.CodeRefused, "kubectl latchkey list"+in, "refused: somebody changed it meanwhile, or made another one of its name")
	case apierrors.IsAlreadyExists(err):
		return say(cli.CodeRefused, "kubectl latchkey list"+in, "refused: %s", s.Message)
	case apierrors.IsInvalid(err) || apierrors.IsForbidden(err) || apierrors.IsBadRequest(err):
		return say(cli.CodeRefused, helps(s, in, resource), "refused: %s", causes(s))
	}
	return say(cli.CodeFailed, "kubectl latchkey doctor --system", "the cluster cannot do this now: %s", s.Message)
}

// holder is how admission says who has what another one wants.
var holder = regexp.MustCompile(`is claimed by ([\w.-]+)`)

// helps returns the command that helps after a refusal: it shows the secret in the way, the
// rules of the field, or what there is.
func helps(s metav1.Status, in, resource string) string {
	if m := holder.FindStringSubmatch(causes(s)); m != nil {
		return "kubectl latchkey describe " + m[1] + in
	}
	if resource != "" && s.Details != nil {
		for _, c := range s.Details.Causes {
			if field, _, _ := strings.Cut(c.Field, "["); strings.HasPrefix(field, "spec.") {
				return "kubectl explain " + resource + "." + field
			}
		}
	}
	return "kubectl latchkey list" + in
}

// Reason returns what an error says without what to do next, for a cell of a table.
func Reason(err error) string {
	text, _, _ := strings.Cut(strings.TrimPrefix(err.Error(), "refused: "), ". Try: ")
	return text
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

// MissingRight returns the error of a request that would have been refused since a right in
// a namespace is missing.
func MissingRight(r Right) error {
	return Explain(apierrors.NewForbidden(schema.GroupResource{Group: r.Group, Resource: r.Resource}, "",
		fmt.Errorf("User %q cannot %s resource %q in API group %q in the namespace %q", r.User, r.Verb, r.Resource, r.Group, r.Namespace))) //nolint:staticcheck // the API server's words
}

// Lacking is the error of a request that was refused since a right is missing: which, who
// grants it, and how.
func Lacking(err error, r Right) error {
	who, commands := r.Granting()
	text := r.User + " may not " + r.String() + "\n" + who + " grants it:"
	for _, c := range commands {
		text += "\n  " + c
	}
	if r.Group == v1alpha1.GroupVersion.Group && r.Namespace != "" {
		text += "\n" + WithoutRoles
	}
	return &cli.Error{Code: cli.CodeRefused, Err: &explained{message: text, err: err}}
}
