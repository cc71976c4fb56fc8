// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"errors"
	"fmt"
	"net"
	"net/http"

	"k8s.io/apiserver/pkg/authorization/authorizer"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/healthz"
	"k8s.io/apiserver/pkg/util/compatibility"
	clientset "k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/latchkey-dev/latchkey/internal/server/apiserver/openapi"
)

// config has all that a server needs, made from the options.
type config struct {
	generic *genericapiserver.Config
	options Options
	deps    Deps
}

// completedConfig can only be made by completing a config.
type completedConfig struct {
	config
	generic genericapiserver.CompletedConfig
}

// config applies o.
func (o Options) config(d Deps) (*config, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	for _, h := range []http.Handler{d.CoderDirect, d.CoderAggregated, d.GolemDirect, d.GolemAggregated} {
		if h == nil {
			return nil, errors.New("a dialect's handler is missing")
		}
	}
	_, port, err := net.SplitHostPort(o.BindAddress)
	if err != nil {
		return nil, err
	}
	c := genericapiserver.NewConfig(codecs)
	c.EffectiveVersion = compatibility.DefaultBuildEffectiveVersion()
	c.SecureServing = &genericapiserver.SecureServingInfo{Cert: d.Certificate}
	c.ExternalAddress = net.JoinHostPort("localhost", port)
	c.LoopbackClientConfig = &rest.Config{} // required but unused here: it has no credentials
	c.EnableIndex = false
	c.EnableProfiling = false
	c.SkipOpenAPIInstallation = true // our documents are not generated from routes
	// Both watch something that this server does not have: its limit, and a storage.
	c.DisabledPostStartHooks.Insert("max-in-flight-filter")
	c.StorageObjectCountTracker = nil
	l := newLimits(o)
	c.BuildHandlerChainFunc = func(router http.Handler, c *genericapiserver.Config) http.Handler {
		return buildChain(router, c, l, d.Active)
	}
	c.LongRunningFunc = noneLongRunning
	c.RequestTimeout = o.RequestTimeout
	c.ShutdownDelayDuration = o.ShutdownDelay
	c.RequestInfoResolver = lenientInfo{genericapiserver.NewRequestInfoResolver(c)}
	c.AuditPolicyRuleEvaluator = auditPolicy()
	if c.AuditBackend, err = o.AuditLog.backend(); err != nil {
		return nil, err
	}
	for name, check := range d.Checks {
		c.ReadyzChecks = append(c.ReadyzChecks, readiness(name, check))
	}
	return &config{generic: c, options: o, deps: d}, nil
}

func readiness(name string, check func() error) healthz.HealthChecker {
	return healthz.NamedCheck(name, func(*http.Request) error { return check() })
}

// delegate makes the cluster authenticate callers, and authorize them outside the
// dialects.
func (c *config) delegate() error {
	client, err := clientset.NewForConfig(reviewConfig(c.deps.Config))
	if err != nil {
		return fmt.Errorf("set up authentication: %w", err)
	}
	ready, err := delegateAuthentication(c.generic, client)
	if err != nil {
		return err
	}
	c.generic.ReadyzChecks = append(c.generic.ReadyzChecks, readiness("authentication", ready))
	access, err := NewAccess(c.deps.Config)
	if err != nil {
		return err
	}
	c.generic.Authorization.Authorizer = authorizer.AuthorizerFunc(pathAuthorizer{cluster: access.cluster}.Authorize)
	return nil
}

func (c *config) complete() completedConfig {
	return completedConfig{config: *c, generic: c.generic.Complete(nil)}
}

// server makes the server and registers all handlers.
func (c completedConfig) server() (*Server, error) {
	generic, err := c.generic.New("latchkey", genericapiserver.NewEmptyDelegateWithCustomHandler(http.HandlerFunc(notFound)))
	if err != nil {
		return nil, fmt.Errorf("set up the API server: %w", err)
	}
	installDiscovery(generic)
	mux := generic.Handler.NonGoRestfulMux
	if err := openapi.Install(mux, readOnly, apis()...); err != nil {
		return nil, fmt.Errorf("set up OpenAPI: %w", err)
	}
	for prefix, handler := range map[string]http.Handler{
		CoderRoot:       c.deps.CoderDirect,
		CoderAggregated: c.deps.CoderAggregated,
		GolemDirect:     c.deps.GolemDirect,
		GolemAggregated: c.deps.GolemAggregated,
	} {
		mux.HandlePrefix(prefix, handler)
	}
	return &Server{
		generic:     generic,
		prepared:    generic.PrepareRun(),
		certificate: c.deps.Certificate,
		bindAddress: c.options.BindAddress,
		listen:      c.deps.Listen,
	}, nil
}
