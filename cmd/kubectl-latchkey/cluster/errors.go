// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
)

// IsForbidden reports whether a right was missing.
func IsForbidden(err error) bool { return apierrors.IsForbidden(err) }

// Explain says what an error of the API server means for the person, with the exit code
// that it deserves.
func Explain(err error) error {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return err
	}
	if right, is := Denied(err); is {
		return missingRight(err, right)
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

// MissingRight returns the error of a request that would have been refused since a right in
// a namespace is missing.
func MissingRight(r Right) error {
	return Explain(apierrors.NewForbidden(schema.GroupResource{Group: r.Group, Resource: r.Resource}, "",
		fmt.Errorf("User %q cannot %s resource %q in API group %q in the namespace %q", r.User, r.Verb, r.Resource, r.Group, r.Namespace))) //nolint:staticcheck // the API server's words
}

func missingRight(err error, r Right) error {
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
