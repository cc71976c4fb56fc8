// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"context"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/apis/apiserver"
	"k8s.io/apiserver/pkg/authentication/authenticatorfactory"
	"k8s.io/apiserver/pkg/authentication/request/headerrequest"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	clientset "k8s.io/client-go/kubernetes"
)

const (
	// tokenTTL is how long the cluster's answer about a token is cached.
	tokenTTL = 10 * time.Second
	// tokenTimeout is how long the cluster may take to answer.
	tokenTimeout = 10 * time.Second

	// trustConfigMap, in kube-system, is where the API server publishes the authorities
	// of client certificates and of its front proxy.
	trustConfigMap = "extension-apiserver-authentication"
)

// delegateAuthentication lets the cluster authenticate callers: first by the front
// proxy's headers, then by a client certificate, then by a token. Anonymous callers may
// use the probes only. The options of k8s.io/apiserver cannot be used, because they
// always admit anonymous callers. ready fails while none of the cluster's authorities
// is known.
func delegateAuthentication(c *genericapiserver.Config, client clientset.Interface) (ready func() error, err error) {
	clients, err := dynamiccertificates.NewDynamicCAFromConfigMapController(
		"client-ca", metav1.NamespaceSystem, trustConfigMap, "client-ca-file", client)
	if err != nil {
		return nil, fmt.Errorf("set up client certificates: %w", err)
	}
	proxy, err := newFrontProxy(client)
	if err != nil {
		return nil, fmt.Errorf("set up the front proxy's certificates: %w", err)
	}
	headers := proxy.config()
	for _, authority := range []dynamiccertificates.CAContentProvider{clients, proxy} {
		if err := c.Authentication.ApplyClientCert(authority, c.SecureServing); err != nil {
			return nil, err
		}
	}
	open := make([]apiserver.AnonymousAuthCondition, 0, len(probes))
	for _, path := range probes {
		open = append(open, apiserver.AnonymousAuthCondition{Path: path})
	}
	c.Authentication.RequestHeaderConfig = headers
	c.Authentication.Authenticator, _, err = authenticatorfactory.DelegatingAuthenticatorConfig{
		Anonymous:                          &apiserver.AnonymousAuthConfig{Enabled: true, Conditions: open},
		TokenAccessReviewClient:            client.AuthenticationV1(),
		TokenAccessReviewTimeout:           tokenTimeout,
		WebhookRetryBackoff:                reviewBackoff(),
		CacheTTL:                           tokenTTL,
		ClientCertificateCAContentProvider: clients,
		RequestHeaderConfig:                headers,
	}.New()
	if err != nil {
		return nil, fmt.Errorf("set up authentication: %w", err)
	}
	return func() error {
		if len(clients.CurrentCABundleContent()) == 0 && len(proxy.CurrentCABundleContent()) == 0 {
			return errors.New("the ConfigMap kube-system/" + trustConfigMap + " was not read yet: check that it exists and may be read")
		}
		return nil
	}, nil
}

// frontProxy follows the certificate authority of the aggregation layer, and the
// headers in which it names the caller.
type frontProxy struct {
	*dynamiccertificates.ConfigMapCAController
	headers *headerrequest.RequestHeaderAuthRequestController
}

var _ dynamiccertificates.ControllerRunner = &frontProxy{}

func newFrontProxy(client clientset.Interface) (*frontProxy, error) {
	authority, err := dynamiccertificates.NewDynamicCAFromConfigMapController(
		"front-proxy-ca", metav1.NamespaceSystem, trustConfigMap, "requestheader-client-ca-file", client)
	if err != nil {
		return nil, err
	}
	return &frontProxy{
		ConfigMapCAController: authority,
		headers: headerrequest.NewRequestHeaderAuthRequestController(trustConfigMap, metav1.NamespaceSystem, client,
			"requestheader-username-headers", "requestheader-uid-headers", "requestheader-group-headers",
			"requestheader-extra-headers-prefix", "requestheader-allowed-names"),
	}, nil
}

func (p *frontProxy) config() *authenticatorfactory.RequestHeaderConfig {
	provider := func(f func() []string) headerrequest.StringSliceProvider {
		return headerrequest.StringSliceProviderFunc(f)
	}
	return &authenticatorfactory.RequestHeaderConfig{
		CAContentProvider:   p,
		UsernameHeaders:     provider(p.headers.UsernameHeaders),
		UIDHeaders:          provider(p.headers.UIDHeaders),
		GroupHeaders:        provider(p.headers.GroupHeaders),
		ExtraHeaderPrefixes: provider(p.headers.ExtraHeaderPrefixes),
		AllowedClientNames:  provider(p.headers.AllowedClientNames),
	}
}

// RunOnce implements dynamiccertificates.ControllerRunner.
func (p *frontProxy) RunOnce(ctx context.Context) error {
	return errors.Join(p.ConfigMapCAController.RunOnce(ctx), p.headers.RunOnce(ctx))
}

// Run implements dynamiccertificates.ControllerRunner.
func (p *frontProxy) Run(ctx context.Context, workers int) {
	go p.headers.Run(ctx, workers)
	p.ConfigMapCAController.Run(ctx, workers)
}
