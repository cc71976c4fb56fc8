// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package framework

import (
	"context"
	"fmt"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// tokenLifetime is longer than any run.
const tokenLifetime = int64(4 * 60 * 60)

// token asks the API server for a token of the service account of a command.
func (c *Cluster) token(ctx context.Context, command string) (string, error) {
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: SystemNamespace, Name: "latchkey-" + command}}
	lifetime := tokenLifetime
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &lifetime}}
	if err := c.Client.SubResource("token").Create(ctx, account, request); err != nil {
		return "", fmt.Errorf("token of %s: %w", account.Name, err)
	}
	return request.Status.Token, nil
}

// writeKubeconfig gives a command the rights of its service account, and no others.
func (c *Cluster) writeKubeconfig(ctx context.Context, command string) error {
	token, err := c.token(ctx, command)
	if err != nil {
		return err
	}
	config := clientcmdapi.NewConfig()
	config.Clusters["test"] = &clientcmdapi.Cluster{Server: c.Config.Host, CertificateAuthorityData: c.Config.CAData}
	config.AuthInfos["test"] = &clientcmdapi.AuthInfo{Token: token}
	config.Contexts["test"] = &clientcmdapi.Context{Cluster: "test", AuthInfo: "test"}
	config.CurrentContext = "test"
	return clientcmd.WriteToFile(*config, c.kubeconfig(command))
}

// AsCommand returns a client with the rights of the service account of "controller"
// or "server".
func (c *Cluster) AsCommand(ctx context.Context, command string) (client.Client, error) {
	token, err := c.token(ctx, command)
	if err != nil {
		return nil, err
	}
	config := rest.AnonymousClientConfig(c.Config)
	config.BearerToken = token
	return client.New(config, client.Options{Scheme: NewScheme()})
}

// AsUser returns a client that acts as a user of the cluster.
func (c *Cluster) AsUser(name string) (client.Client, error) {
	config := rest.CopyConfig(c.Config)
	config.Impersonate = rest.ImpersonationConfig{UserName: name}
	return client.New(config, client.Options{Scheme: NewScheme()})
}
