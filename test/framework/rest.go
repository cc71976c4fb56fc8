// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package framework

import (
	"context"
	"errors"
	"net"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/internal/certs"
)

// RESTURL returns the base of a server's own port, under the name that its
// certificate is valid for.
func (p *Process) RESTURL() (string, error) {
	for _, arg := range p.args {
		if address, ok := strings.CutPrefix(arg, "--secure-bind-address="); ok {
			_, port, err := net.SplitHostPort(address)
			return "https://localhost:" + port, err
		}
	}
	return "", errors.New(p.name + " serves no REST")
}

// RESTAuthority returns the CA that signs the servers' certificate.
func (c *Cluster) RESTAuthority(ctx context.Context) ([]byte, error) {
	secret := &corev1.Secret{}
	err := c.Client.Get(ctx, client.ObjectKey{Namespace: SystemNamespace, Name: certs.SecretName}, secret)
	return secret.Data["ca.crt"], err
}
