// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/admissionport"
	"github.com/latchkey-dev/latchkey/internal/approval"
	"github.com/latchkey-dev/latchkey/internal/caches"
	"github.com/latchkey-dev/latchkey/internal/certs"
	"github.com/latchkey-dev/latchkey/internal/keyring"
	"github.com/latchkey-dev/latchkey/internal/projector"
	"github.com/latchkey-dev/latchkey/internal/server/active"
	"github.com/latchkey-dev/latchkey/internal/server/apiserver"
	"github.com/latchkey-dev/latchkey/webhook/agentsecret"
	"github.com/latchkey-dev/latchkey/webhook/pod"
	"github.com/latchkey-dev/latchkey/webhook/sealing"
	"github.com/latchkey-dev/latchkey/webhook/usersecret"
)

// serverOptions are the choices of "latchkey server".
type serverOptions struct {
	commonOptions
	webhookAddr       string
	admissionClientCA string
	advertiseAddr     string
	projection        projector.Options
	rest              apiserver.Options
}

func (o *serverOptions) addFlags(fs *pflag.FlagSet) {
	o.commonOptions.addFlags(fs)
	fs.StringVar(&o.webhookAddr, "webhook-bind-address", ":9443", "Address of the admission webhooks.")
	fs.StringVar(&o.admissionClientCA, "admission-client-ca", "", "File with the CA, in PEM, of the certificate that the API server presents to webhooks. Nobody else can connect to them then. It is read again when it changes. Without it, the API server is known by the path that it asks for alone.")
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
	return command("server", "Admit UserSecrets and AgentSecrets, and serve the REST APIs", o, func(ctx context.Context) error { return runServer(ctx, o) })
}

func runServer(ctx context.Context, o *serverOptions) error {
	log := o.logging.Setup(os.Stderr)
	ctx = ctrl.LoggerInto(ctx, log)
	cfg, err := o.config(log)
	if err != nil {
		return err
	}
	scheme := newScheme()
	address, err := o.advertised()
	if err != nil {
		return err
	}
	tenure := active.NewTenure(active.SystemClock{}, active.Identity(address, string(uuid.NewUUID())))
	cfg.Wrap(tenure.WatchCredentials)
	live, err := client.NewWithWatch(cfg, client.Options{Scheme: scheme})
	if err != nil {
		return fmt.Errorf("reach the API server: %w", err)
	}
	if err := o.filterTenants(ctx, live); err != nil {
		return err
	}
	watches := &caches.Watches{}
	certificates := &certs.Provider{}
	paths := &admissionport.Paths{}
	mgr, err := ctrl.NewManager(cfg, ctrl.Options{
		Scheme:                 scheme,
		Cache:                  caches.Server(o.tenants, watches),
		Metrics:                metricsserver.Options{BindAddress: o.metricsAddr},
		HealthProbeBindAddress: o.healthAddr,
		LivenessEndpointName:   "/livez",
	})
	if err != nil {
		return fmt.Errorf("set up the server: %w", err)
	}
	keys := &keyring.Store{Reader: mgr.GetAPIReader(), Writer: mgr.GetClient(), Namespace: o.namespace}
	var ring *keyring.Ring
	ring = keyring.NewRing(func(ctx context.Context) error { return keys.LoadInto(ctx, ring) })
	digestKey := &keyring.DigestKey{}
	if err := watchOwnSecrets(ctx, mgr, o.namespace, watches, ring, digestKey, certificates, paths); err != nil {
		return err
	}
	port, err := addAdmission(ctx, mgr, o, live, ring, digestKey, certificates, paths, watches)
	if err != nil {
		return err
	}
	if err := addREST(ctx, mgr, o, live, ring, digestKey, certificates, watches, tenure); err != nil {
		return err
	}
	checks := map[string]func() error{"certificate": certificates.Ready, "path": paths.Ready, "admission": port.Ready}
	if err := errors.Join(addChecks(mgr, ring, checks), addWatchChecks(mgr, watches)); err != nil {
		return err
	}
	log.Info("Starting the server", "version", version)
	return mgr.Start(ctx)
}

// watchOwnSecrets follows the Secrets of Latchkey's own namespace.
func watchOwnSecrets(ctx context.Context, mgr ctrl.Manager, namespace string, watches *caches.Watches, ring *keyring.Ring, digestKey *keyring.DigestKey, certificates *certs.Provider, paths *admissionport.Paths) error {
	keys, err := caches.Keys(mgr.GetConfig(), mgr.GetScheme(), namespace, watches)
	if err != nil {
		return fmt.Errorf("set up the cache of sealing keys: %w", err)
	}
	digests, err := caches.Named(mgr.GetConfig(), mgr.GetScheme(), &corev1.Secret{}, namespace, keyring.DigestKeyName, watches)
	if err != nil {
		return fmt.Errorf("set up the cache of the key of the digests: %w", err)
	}
	certificate, err := caches.Named(mgr.GetConfig(), mgr.GetScheme(), &corev1.Secret{}, namespace, certs.SecretName, watches)
	if err != nil {
		return fmt.Errorf("set up the cache of the certificate: %w", err)
	}
	pathCache, err := caches.Named(mgr.GetConfig(), mgr.GetScheme(), &corev1.Secret{}, namespace, admissionport.SecretName, watches)
	if err != nil {
		return fmt.Errorf("set up the cache of the admission path: %w", err)
	}
	return errors.Join(
		mgr.Add(keys),
		mgr.Add(digests),
		mgr.Add(certificate),
		mgr.Add(pathCache),
		keyring.Watch(ctx, keys, namespace, ring),
		digestKey.Watch(ctx, digests, namespace),
		certificates.Watch(ctx, certificate),
		paths.Watch(ctx, pathCache),
	)
}

// addAdmission adds the admission of all kinds, and the port at which the API server
// asks for it.
func addAdmission(ctx context.Context, mgr ctrl.Manager, o *serverOptions, live client.Client, ring *keyring.Ring, digestKey *keyring.DigestKey, certificates *certs.Provider, paths *admissionport.Paths, watches *caches.Watches) (*admissionport.Server, error) {
	self, err := selfName(ctx, live)
	if err != nil {
		return nil, err
	}
	latchkey := sealing.Latchkey{Server: self, Controller: "system:serviceaccount:" + o.namespace + ":" + controllerAccount}
	tenants := caches.Served(mgr.GetClient(), o.tenants)
	// A pod that is created right after a secret has it.
	writes := &caches.Writes{}
	follows := func() bool {
		live, _ := watches.Live(readFrom...)
		return live
	}
	access := sealing.Reviews{Client: mgr.GetClient()}
	namespaces := sealing.LiveNamespaces{Reader: mgr.GetAPIReader()}
	projection := o.projection
	projection.Targets = o.targets
	hooks := map[string]http.Handler{}
	for where, handler := range map[string]admission.Handler{
		admissionport.UserSecretHook: sealing.Noting(&usersecret.Handler{
			Reader:     tenants,
			Access:     access,
			Namespaces: namespaces,
			Keyring:    ring,
			DigestKey:  digestKey.Key,
			Latchkey:   latchkey,
			Limits:     o.user,
			Now:        time.Now,
		}, writes.Note),
		admissionport.AgentSecretHook: sealing.Noting(&agentsecret.Handler{
			Reader:     tenants,
			Access:     access,
			Namespaces: namespaces,
			Keyring:    ring,
			Limits:     o.agent,
			Latchkey:   latchkey,
		}, writes.Note),
		admissionport.PodHook: &pod.Handler{
			Reader:   caches.Served(caches.Fresh(mgr.GetClient(), live, writes, follows), o.tenants),
			Limits:   o.user,
			Options:  projection,
			Approved: approved(digestKey),
		},
	} {
		// Metrics name the hook, never the path that leads to it.
		hooks[where], err = admission.StandaloneWebhook(&admission.Webhook{Handler: handler}, admission.StandaloneOptions{MetricsPath: where})
		if err != nil {
			return nil, fmt.Errorf("set up %s: %w", where, err)
		}
	}
	server := &admissionport.Server{
		Address:     o.webhookAddr,
		Certificate: certificates.GetCertificate,
		Handler:     admissionport.NewGuard(paths, hooks),
	}
	if o.admissionClientCA != "" {
		if server.ClientCA, err = dynamiccertificates.NewDynamicCAContentFromFile("admission-client-ca", o.admissionClientCA); err != nil {
			return nil, fmt.Errorf("--admission-client-ca: %w", err)
		}
	}
	return server, mgr.Add(server)
}

// approved judges the sources of secrets; without the key none is approved.
func approved(digestKey *keyring.DigestKey) func(*v1alpha1.UserSecret) bool {
	return func(u *v1alpha1.UserSecret) bool {
		key, err := digestKey.Key()
		return err == nil && approval.Valid(key, u)
	}
}

// controllerAccount is the service account of latchkey controller.
const controllerAccount = "latchkey-controller"

// selfName returns the user name under which this process reaches the API server.
func selfName(ctx context.Context, live client.Client) (string, error) {
	review := &authenticationv1.SelfSubjectReview{}
	if err := live.Create(ctx, review); err != nil {
		return "", fmt.Errorf("ask the API server who we are: %w", err)
	}
	return review.Status.UserInfo.Username, nil
}
