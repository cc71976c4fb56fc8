// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
)

// Bundle returns the content of one of the native Secrets that Latchkey keeps; nil where
// there is none. A Secret of that name that is not Latchkey's is refused.
func (c *Cluster) Bundle(ctx context.Context, namespace, name string) (map[string][]byte, error) {
	found, err := c.Core.Secrets(namespace).Get(Unlogged(ctx), name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, Explain(err)
	case found.Type != v1alpha1.SecretTypeBundle || found.Labels[v1alpha1.LabelBundle] == "":
		return nil, cli.Refused("Secret %s in namespace %s is not Latchkey's, so it is not used. See who made it: kubectl -n %[2]s describe secret %[1]s", name, namespace)
	}
	return found.Data, nil
}
