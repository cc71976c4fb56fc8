// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"syscall"

	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
)

// unreachable says why there was no answer from the API server, and what shows more of it.
// Any other error stays as it is.
func unreachable(err error) error {
	var request *url.Error
	if !errors.As(err, &request) {
		return err
	}
	server := "the API server"
	if u, parse := url.Parse(request.URL); parse == nil {
		server += " " + u.Scheme + "://" + u.Host
	}
	var untrusted *tls.CertificateVerificationError
	text, next := "", "kubectl cluster-info"
	switch login, is := strings.CutPrefix(request.Err.Error(), "getting credentials: "); {
	case is:
		first, _, _ := strings.Cut(login, "\n")
		text, next = "the kubeconfig's login for "+server+" failed: "+strings.TrimPrefix(first, "exec: "), "kubectl auth whoami"
	case errors.As(err, &untrusted):
		text, next = fmt.Sprintf("the certificate of %s is not trusted: %s", server, untrusted.Err), "kubectl config view --minify"
	case strings.HasPrefix(request.Err.Error(), "remote error: tls: "):
		text, next = server+" does not accept the client certificate, which may have expired", "kubectl auth whoami"
	case request.Timeout():
		text = server + " did not answer in time"
	default:
		text = server + " cannot be reached: " + cause(request.Err)
	}
	return &cli.Error{Code: cli.CodeFailed, Err: &explained{message: text + ". Try: " + next, err: err}}
}

// cause is why a connection failed, without the calls that it failed in.
func cause(err error) string {
	var name *net.DNSError
	var number syscall.Errno
	switch {
	case errors.As(err, &name):
		return name.Err + ": " + name.Name
	case errors.As(err, &number):
		return number.Error()
	}
	return err.Error()
}
