// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// forbidden is an answer of 403.
func forbidden(message string) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: 403, Reason: metav1.StatusReasonForbidden, Message: message}}
}

func TestDenied_OfAnAnswer_IsTheRightThatIsMissing(t *testing.T) {
	for name, tt := range map[string]struct {
		err  error
		want string
		is   bool
	}{
		"in a namespace":         {forbidden(`usersecrets.latchkey.dev is forbidden: User "a" cannot list resource "usersecrets" in API group "latchkey.dev" in the namespace "n"`), "list usersecrets.latchkey.dev in namespace n", true},
		"a part of a resource":   {forbidden(`x is forbidden: User "a" cannot get resource "agentsecrets/value" in API group "latchkey.dev" in the namespace "n"`), "get agentsecrets.latchkey.dev/value in namespace n", true},
		"in the whole cluster":   {forbidden(`x is forbidden: User "a" cannot get resource "customresourcedefinitions" in API group "apiextensions.k8s.io" at the cluster scope`), "get customresourcedefinitions.apiextensions.k8s.io in the whole cluster", true},
		"of the core group":      {forbidden(`pods is forbidden: User "a" cannot list resource "pods" in API group "" in the namespace "n"`), "list pods in namespace n", true},
		"of a path":              {forbidden(`forbidden: User "a" cannot get path "/version"`), "get /version", true},
		"a quota's refusal":      {forbidden(`secrets "x" is forbidden: exceeded quota`), "", false},
		"an error of no API":     {errors.New(`User "a" cannot get path "/version"`), "", false},
		"another answer's words": {apierrors.NewBadRequest(`User "a" cannot get path "/version"`), "", false},
		"no error":               {nil, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			right, is := Denied(tt.err)
			if is != tt.is || is && right.String() != tt.want {
				t.Errorf("Denied = %q, %t, want %q", right, is, tt.want)
			}
		})
	}
}

func TestGranting_OfARight_IsTheNarrowestRole(t *testing.T) {
	for name, tt := range map[string]struct {
		right Right
		want  []string
	}{
		"to look at secrets": {Right{User: "a", Verb: "list", Resource: UserSecrets, Group: "latchkey.dev", Namespace: "n"},
			[]string{"kubectl -n n create rolebinding latchkey-view-a --clusterrole=latchkey-view --user=a"}},
		"to change them": {Right{User: "a", Verb: "patch", Resource: UserSecrets, Group: "latchkey.dev", Namespace: "n"},
			[]string{"kubectl -n n create rolebinding latchkey-edit-a --clusterrole=latchkey-edit --user=a"}},
		"to reveal a value": {Right{User: "a", Verb: "get", Resource: "agentsecrets/value", Group: "latchkey.dev", Namespace: "n"},
			[]string{"kubectl -n n create rolebinding latchkey-edit-a --clusterrole=latchkey-edit --user=a"}},
		"to look at all of them": {Right{User: "a", Verb: "list", Resource: UserSecrets, Group: "latchkey.dev"},
			[]string{"kubectl create clusterrolebinding latchkey-view-a --clusterrole=latchkey-view --user=a"}},
		"to look at pods": {Right{User: "a", Verb: "list", Resource: "pods", Namespace: "n"},
			[]string{"kubectl -n n create rolebinding view-a --clusterrole=view --user=a"}},
		"to read some Secrets, which no role but edit and admin has": {Right{User: "a", Verb: "get", Resource: "secrets", Namespace: "n", Names: []string{"x", "y"}}, []string{
			"kubectl -n n create role latchkey-get-secrets --verb=get --resource=secrets --resource-name=x --resource-name=y",
			"kubectl -n n create rolebinding latchkey-get-secrets-a --role=latchkey-get-secrets --user=a",
		}},
		"to read what is of the cluster": {Right{User: "a", Verb: "get", Resource: "customresourcedefinitions", Group: "apiextensions.k8s.io"}, []string{
			"kubectl create clusterrole latchkey-get-customresourcedefinitions --verb=get --resource=customresourcedefinitions.apiextensions.k8s.io",
			"kubectl create clusterrolebinding latchkey-get-customresourcedefinitions-a --clusterrole=latchkey-get-customresourcedefinitions --user=a",
		}},
		"of a service account": {Right{User: "system:serviceaccount:ci:deploy", Verb: "list", Resource: "pods", Namespace: "n"},
			[]string{"kubectl -n n create rolebinding view-system-serviceaccount-ci-deploy --clusterrole=view --serviceaccount=ci:deploy"}},
		"of a name that a shell would run": {Right{User: "a'; $(id) #", Verb: "list", Resource: "pods", Namespace: "n"},
			[]string{`kubectl -n n create rolebinding view-a-id --clusterrole=view '--user=a'\''; $(id) #'`}},
	} {
		t.Run(name, func(t *testing.T) {
			_, commands := tt.right.Granting()
			if diff := cmp.Diff(tt.want, commands); diff != "" {
				t.Errorf("commands (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMissingRight_IsTheErrorOfTheRefusedRequest(t *testing.T) {
	err := MissingRight(Right{User: "a", Verb: "get", Resource: "agentsecrets/value", Group: "latchkey.dev", Namespace: "n"})
	want := Explain(forbidden(`x is forbidden: User "a" cannot get resource "agentsecrets/value" in API group "latchkey.dev" in the namespace "n"`))
	if err.Error() != want.Error() || !IsForbidden(err) {
		t.Errorf("MissingRight = %v, want %v", err, want)
	}
}
