// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
)

// denial is an answer of admission.
func denial(code int32, reason metav1.StatusReason, message string, causes ...metav1.StatusCause) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: code, Reason: reason, Message: message, Details: &metav1.StatusDetails{Causes: causes},
	}}
}

// sent is what a client says of a request that had no answer.
func sent(err error) error {
	return &url.Error{Op: "Get", URL: "https://api.example:6443/apis/latchkey.dev/v1alpha1?limit=500", Err: err}
}

func TestExplain_EachKindOfError_IsASentenceWithACommand(t *testing.T) {
	resource := schema.GroupResource{Group: "latchkey.dev", Resource: UserSecrets}
	for name, tt := range map[string]struct {
		err      error
		wantCode int
		want     string
	}{
		"nobody listens": {
			sent(&net.OpError{Op: "dial", Err: &os.SyscallError{Syscall: "connect", Err: syscall.ECONNREFUSED}}), cli.CodeFailed,
			"the API server https://api.example:6443 cannot be reached: connection refused. Try: kubectl cluster-info",
		},
		"no such host": {
			sent(&net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "api.example", Server: "10.0.0.1:53"}}), cli.CodeFailed,
			"the API server https://api.example:6443 cannot be reached: no such host: api.example. Try: kubectl cluster-info",
		},
		"no answer in time": {
			sent(context.DeadlineExceeded), cli.CodeFailed, "the API server https://api.example:6443 did not answer in time. Try: kubectl cluster-info",
		},
		"another authority": {
			sent(&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}), cli.CodeFailed,
			"the certificate of the API server https://api.example:6443 is not trusted: x509: certificate signed by unknown authority. Try: kubectl config view --minify",
		},
		"a client certificate that expired": {
			sent(errors.New("remote error: tls: expired certificate")), cli.CodeFailed,
			"the API server https://api.example:6443 does not accept the client certificate, which may have expired. Try: kubectl auth whoami",
		},
		"a login by a program that fails": {
			sent(errors.New("getting credentials: exec: executable cloud-login failed with exit code 1\nmore")), cli.CodeFailed,
			"the kubeconfig's login for the API server https://api.example:6443 failed: executable cloud-login failed with exit code 1. Try: kubectl auth whoami",
		},
		"a login that expired": {
			apierrors.NewUnauthorized("Unauthorized"), cli.CodeFailed,
			"the cluster does not know you: log in again, your login is wrong or has expired. Try: kubectl auth whoami",
		},
		"no CRDs": {
			apierrors.NewGenericServerResponse(http.StatusNotFound, "GET", resource, "", "", 0, false), cli.CodeFailed,
			"this cluster does not serve latchkey.dev/v1alpha1: Latchkey is not installed. Try: kubectl latchkey doctor --system",
		},
		"no namespace": {
			apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, "alice"), cli.CodeRefused,
			"namespace alice does not exist. Try: kubectl get namespaces",
		},
		"a secret that is gone": {
			apierrors.NewNotFound(resource, "t"), cli.CodeRefused, "usersecrets t is not there, or was deleted meanwhile. Try: kubectl latchkey list -n alice",
		},
		"a write of somebody else": {
			apierrors.NewConflict(resource, "t", errors.New("UID")), cli.CodeRefused,
			"refused: somebody changed it meanwhile, or made another one of its name. Try: kubectl latchkey list -n alice",
		},
		"one that exists": {
			apierrors.NewAlreadyExists(resource, "t"), cli.CodeRefused, `refused: usersecrets.latchkey.dev "t" already exists. Try: kubectl latchkey list -n alice`,
		},
		"a field": {
			denial(http.StatusUnprocessableEntity, metav1.StatusReasonInvalid, "no", metav1.StatusCause{Field: "spec.path[1]", Message: "must not be empty"}), cli.CodeRefused,
			"refused: spec.path[1]: must not be empty. Try: kubectl explain usersecrets.spec.path",
		},
		"two fields": {
			denial(http.StatusForbidden, metav1.StatusReasonForbidden, "no", metav1.StatusCause{Field: "spec.a", Message: "x"}, metav1.StatusCause{Field: "spec.b", Message: "y"}), cli.CodeRefused,
			"refused: \n  spec.a: x\n  spec.b: y. Try: kubectl explain usersecrets.spec.a",
		},
		"a claim of another": {
			denial(http.StatusForbidden, metav1.StatusReasonForbidden, "no", metav1.StatusCause{Field: "spec.envName", Message: `in use: "T" is claimed by other; choose another`}), cli.CodeRefused,
			`refused: spec.envName: in use: "T" is claimed by other; choose another. Try: kubectl latchkey describe other -n alice`,
		},
		"a limit": {
			denial(http.StatusForbidden, metav1.StatusReasonForbidden, "51 secrets exceed the tenant's limit of 50: delete 1"), cli.CodeRefused,
			"refused: 51 secrets exceed the tenant's limit of 50: delete 1. Try: kubectl latchkey list -n alice",
		},
		"admission that is away": {
			apierrors.NewInternalError(errors.New("failed calling webhook")), cli.CodeFailed,
			"the cluster cannot do this now: Internal error occurred: failed calling webhook. Try: kubectl latchkey doctor --system",
		},
		"what is said already": {cli.No("no"), cli.CodeNo, "no"},
		"any other":            {errors.New("other"), cli.CodeFailed, "other"},
	} {
		t.Run(name, func(t *testing.T) {
			got := at("alice", UserSecrets, fmt.Errorf("%w", tt.err))
			if code := cli.CodeOf(got); code != tt.wantCode {
				t.Errorf("the exit code is %d, want %d", code, tt.wantCode)
			}
			if diff := cmp.Diff(tt.want, got.Error()); diff != "" {
				t.Errorf("it says (-want +got):\n%s", diff)
			}
			if !errors.Is(got, tt.err) {
				t.Error("the cause is lost")
			}
		})
	}
}

func TestReason_OfARefusal_LeavesTheCommandOut(t *testing.T) {
	err := at("alice", UserSecrets, denial(http.StatusForbidden, metav1.StatusReasonForbidden, "no", metav1.StatusCause{Field: "spec.envName", Message: "no"}))
	if diff := cmp.Diff("spec.envName: no", Reason(err)); diff != "" {
		t.Errorf("reason (-want +got):\n%s", diff)
	}
}
