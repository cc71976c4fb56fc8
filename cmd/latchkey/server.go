// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	authenticationv1 "k8s.io/api/authentication/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/webhook"

	"github.com/latchkey-dev/latchkey/internal/apiserver"
	"github.com/latchkey-dev/latchkey/internal/caches"
	"github.com/latchkey-dev/latchkey/internal/certs"
	"github.com/latchkey-dev/latchkey/internal/keyring"
	"github.com/latchkey-dev/latchkey/internal/projector"
	"github.com/latchkey-dev/latchkey/webhook/agentsecret"
	"github.com/latchkey-dev/latchkey/webhook/pod"
	"github.com/latchkey-dev/latchkey/webhook/usersecret"
)

// serverOptions are the choices of "latchkey server".
type serverOptions struct {
	commonOptions
	webhookAddr   string
	advertiseAddr string
	projection    projector.Options
	rest          apiserver.Options
}

func (o *serverOptions) addFlags(fs *pflag.FlagSet) {
	o.commonOptions.addFlags(fs)
	fs.StringVar(&o.webhookAddr, "webhook-bind-address", ":9443", "Address of the admission webhooks.")
	fs.StringVar(&o.advertiseAddr, "advertise-address", "", "Host and port under which other replicas reach this one's REST port. Without it: $POD_IP, else the host of --secure-bind-address, and its port.")
	fs.StringVar(&o.projection.DefaultHome, "default-home", projector.DefaultHome, "What ~/ stands for in a container that sets no HOME.")
	o.rest = apiserver.NewOptions()
	o.rest.AddFlags(fs)
}

func (o *serverOptions) validate() error {
	_, _, err := hostPort("webhook-bind-address", o.webhookAddr)
	if !path.IsAbs(o.projection.DefaultHome) || projector.Projectable(path.Join(o.projection.DefaultHome, "file")) != "" {
		err = errors.Join(err, errors.New("--default-home must be an absolute path in which files can be"))
	}
	return errors.Join(o.commonOptions.validate(), o.rest.Validate(), err)
}

func serverCommand() *cobra.Command {
	o := &serverOptions{}
	cmd := &cobra.Command{
		Use:   "server",
		Short: "Admit UserSecrets and AgentSecrets, and serve the REST APIs",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.validate(); err != nil {
				return err
			}
			return runServer(cmd.Context(), o)
		},
	}
	o.addFlags(cmd.Flags())
	return cmd
}

func runServer(ctx context.Context, o *serverOptions) error {
	log := o.logging.Setup(os.Stderr)
	ctx = ctrl.LoggerInto(ctx, log)
	cfg, err := o.config(log)
	if err != nil {
		return err
	}
	standing := &apiserver.Standing{}
	cfg.Wrap(standing.Wrap)
	scheme := newScheme()
	live, err := client.NewWithWatch(cfg, client.Options{Scheme: scheme})
	if err != nil {
		return fmt.Errorf("reach the API server: %w", err)
	}
	if err := o.settleTenants(ctx, live); err != nil {
		return err
	}
	keeper := &certs.Keeper{}
	host, port, err := hostPort("webhook-bind-address", o.webhookAddr)
	if err != nil {
		return err
	}
	mgr, err := ctrl.NewManager(cfg, ctrl.Options{
		Scheme:                 scheme,
		Cache:                  caches.Server(o.tenants),
		Metrics:                metricsserver.Options{BindAddress: o.metricsAddr},
		HealthProbeBindAddress: o.healthAddr,
		LivenessEndpointName:   "/livez",
		WebhookServer: webhook.NewServer(webhook.Options{Host: host, Port: port, TLSOpts: []func(*tls.Config){
			func(c *tls.Config) { c.GetCertificate = keeper.GetCertificate },
		}}),
	})
	if err != nil {
		return fmt.Errorf("set up the server: %w", err)
	}
	keys := &keyring.Store{Reader: mgr.GetAPIReader(), Writer: mgr.GetClient(), Namespace: o.namespace}
	var ring *keyring.Ring
	ring = keyring.NewRing(func(ctx context.Context) error { return keys.LoadInto(ctx, ring) })
	if err := watchOwnSecrets(ctx, mgr, o.namespace, ring, keeper); err != nil {
		return err
	}
	if err := addWebhooks(ctx, mgr, o, live, ring); err != nil {
		return err
	}
	joined, err := addREST(ctx, mgr, o, live, ring, keeper, standing)
	if err != nil {
		return err
	}
	if err := addChecks(mgr, ring, map[string]func() error{"certificate": keeper.Ready, "replicas": joined}); err != nil {
		return err
	}
	log.Info("Starting the server", "version", version)
	return mgr.Start(ctx)
}

// watchOwnSecrets keeps ring and keeper in step with Latchkey's own namespace.
func watchOwnSecrets(ctx context.Context, mgr ctrl.Manager, namespace string, ring *keyring.Ring, keeper *certs.Keeper) error {
	keys, err := caches.Keys(mgr.GetConfig(), mgr.GetScheme(), namespace)
	if err != nil {
		return fmt.Errorf("set up the cache of sealing keys: %w", err)
	}
	certificate, err := caches.Certificate(mgr.GetConfig(), mgr.GetScheme(), namespace, certs.SecretName)
	if err != nil {
		return fmt.Errorf("set up the cache of the certificate: %w", err)
	}
	return errors.Join(
		mgr.Add(keys),
		mgr.Add(certificate),
		keyring.Watch(ctx, keys, namespace, ring),
		keeper.Watch(ctx, certificate),
	)
}

// addWebhooks adds the admission of both kinds.
func addWebhooks(ctx context.Context, mgr ctrl.Manager, o *serverOptions, live client.Client, ring *keyring.Ring) error {
	self, err := selfName(ctx, live)
	if err != nil {
		return err
	}
	tenants := caches.Served(mgr.GetClient(), o.tenants)
	mgr.GetWebhookServer().Register(usersecret.Path, &webhook.Admission{Handler: &usersecret.Handler{
		Reader:  tenants,
		Access:  usersecret.Reviews{Client: mgr.GetClient()},
		Keyring: ring,
		Limits:  o.user,
		Now:     time.Now,
	}})
	mgr.GetWebhookServer().Register(agentsecret.Path, &webhook.Admission{Handler: &agentsecret.Handler{
		Reader:  tenants,
		Keyring: ring,
		Limits:  o.agent,
		Server:  self,
	}})
	projection := o.projection
	projection.Targets = o.targets
	mgr.GetWebhookServer().Register(pod.Path, &webhook.Admission{Handler: &pod.Handler{
		Reader:  tenants,
		Limits:  o.user,
		Options: projection,
	}})
	return nil
}

// selfName returns the user name under which this process reaches the API server.
func selfName(ctx context.Context, live client.Client) (string, error) {
	review := &authenticationv1.SelfSubjectReview{}
	if err := live.Create(ctx, review); err != nil {
		return "", fmt.Errorf("ask the API server who we are: %w", err)
	}
	return review.Status.UserInfo.Username, nil
}
