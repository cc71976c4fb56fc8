// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/controllers/admissionpath"
	"github.com/latchkey-dev/latchkey/controllers/aggregation"
	"github.com/latchkey-dev/latchkey/controllers/bundler"
	"github.com/latchkey-dev/latchkey/controllers/cleanup"
	"github.com/latchkey-dev/latchkey/controllers/keyrotation"
	"github.com/latchkey-dev/latchkey/controllers/rollout"
	"github.com/latchkey-dev/latchkey/internal/caches"
	"github.com/latchkey-dev/latchkey/internal/certs"
	"github.com/latchkey-dev/latchkey/internal/digest"
	"github.com/latchkey-dev/latchkey/internal/keyring"
	"github.com/latchkey-dev/latchkey/internal/policy/limits"
)

// controllerOptions are the choices of "latchkey controller".
type controllerOptions struct {
	commonOptions
	leaderElect bool
	workers     int
	certificate bool
	rotation    keyrotation.Options
	restarts    rollout.Options
	unregister  time.Duration
	dropMissing bool
}

func (o *controllerOptions) addFlags(fs *pflag.FlagSet) {
	o.commonOptions.addFlags(fs)
	fs.BoolVar(&o.leaderElect, "leader-elect", true, "Let one of several replicas lead. Without it, run one replica only.")
	fs.IntVar(&o.workers, "workers", 8, "Tenants that are reconciled at once, for each kind.")
	fs.BoolVar(&o.certificate, "manage-certificate", true, "Make and renew the serving certificate, and tell the API server to trust it. Without it, something else does, such as cert-manager.")
	fs.DurationVar(&o.rotation.Rotation, "key-rotation", 30*24*time.Hour, "Age at which the sealing key gets a successor; 0 never.")
	fs.DurationVar(&o.rotation.Retention, "key-retention", 365*24*time.Hour, "How long a sealing key that no object needs is kept after its successor was made; 0 means forever, else at least 24h. Manifests in repositories may still hold values sealed with it.")
	fs.Float64Var(&o.rotation.ResealRate, "reseal-rate", 20, "Objects that are re-sealed per second after a rotation.")
	fs.DurationVar(&o.rotation.Interval, "key-check-interval", 30*time.Second, "Time between two looks at the keys and what they seal.")
	fs.BoolVar(&o.restarts.Enabled, "restart-on-change", true, "Restart Deployments, StatefulSets and DaemonSets that ask for it when their secrets change. Without it, workloads are neither read nor written.")
	fs.DurationVar(&o.restarts.Delay, "restart-delay", 5*time.Second, "How long changes are gathered before a workload is restarted.")
	fs.DurationVar(&o.restarts.MinInterval, "restart-min-interval", time.Minute, "How long a workload is not restarted again. What changes meanwhile is acted upon afterwards, once.")
	fs.DurationVar(&o.restarts.Timeout, "rollout-timeout", 2*time.Minute, "How long a restart counts as under way at most, so that workloads which never become ready do not keep others waiting.")
	fs.DurationVar(&o.unregister, "unregister-apis-after", 5*time.Second, "How long no server may be ready before the aggregated APIs are taken out of the cluster, which cannot delete namespaces while they do not answer; 0 means never. They are put back when a server is ready.")
	fs.BoolVar(&o.dropMissing, "drop-missing-sources", false, "Take a value that comes from a Secret out of the bundles as soon as that Secret or its key is not there. Without it, the value stays until its object is deleted, disabled or given another source.")
	fs.IntVar(&o.restarts.MaxConcurrent, "max-concurrent-rollouts", 5, "Restarts that are under way at once, in the whole cluster. Tenants take turns, and one tenant has at most all but one of them.")
}

func (o *controllerOptions) validate() error {
	errs := []error{o.commonOptions.validate()}
	if o.workers < 1 || o.workers > 256 {
		errs = append(errs, fmt.Errorf("--workers must be 1 to 256, not %d", o.workers))
	}
	if o.rotation.Rotation < 0 || o.rotation.Retention < 0 {
		errs = append(errs, errors.New("--key-rotation and --key-retention must not be negative"))
	}
	if o.rotation.Retention > 0 && o.rotation.Retention < keyrotation.MinRetention {
		errs = append(errs, fmt.Errorf("--key-retention must be 0 or at least %s, not %s: a deleted key opens nothing any more", keyrotation.MinRetention, o.rotation.Retention))
	}
	if !(o.rotation.ResealRate > 0) { // NaN is neither
		errs = append(errs, errors.New("--reseal-rate must be above 0"))
	}
	if o.rotation.Interval <= 0 {
		errs = append(errs, errors.New("--key-check-interval must be above 0"))
	}
	if o.restarts.Delay < 0 || o.restarts.MaxConcurrent < 1 {
		errs = append(errs, errors.New("--restart-delay must not be negative, and --max-concurrent-rollouts must be 1 or more"))
	}
	if o.restarts.MinInterval < 0 || o.restarts.MinInterval > 24*time.Hour {
		errs = append(errs, fmt.Errorf("--restart-min-interval must be 0 to 24h, not %s", o.restarts.MinInterval))
	}
	if o.restarts.Timeout < time.Second || o.restarts.Timeout > time.Hour {
		errs = append(errs, fmt.Errorf("--rollout-timeout must be 1s to 1h, not %s", o.restarts.Timeout))
	}
	if o.unregister < 0 {
		errs = append(errs, fmt.Errorf("--unregister-apis-after must not be negative, but is %s", o.unregister))
	}
	return errors.Join(errs...)
}

// keys returns the options for the sealing keys. A controller that does not see every
// object cannot know whether a key is still needed, and so retires none.
func (o *controllerOptions) keys() keyrotation.Options {
	keys := o.rotation
	if len(o.tenants) > 0 {
		keys.Retention = 0
	}
	return keys
}

func controllerCommand() *cobra.Command {
	o := &controllerOptions{}
	return command("controller", "Make UserSecrets and AgentSecrets into native Secrets, and keep the sealing keys and certificates", o, func(ctx context.Context) error { return runController(ctx, o) })
}

func runController(ctx context.Context, o *controllerOptions) error {
	log := o.logging.Setup(os.Stderr)
	ctx = ctrl.LoggerInto(ctx, log)
	cfg, err := o.config(log)
	if err != nil {
		return err
	}
	scheme := newScheme()
	live, err := client.New(cfg, client.Options{Scheme: scheme})
	if err != nil {
		return fmt.Errorf("reach the API server: %w", err)
	}
	if err := o.filterTenants(ctx, live); err != nil {
		return err
	}
	store := &keyring.Store{Reader: live, Writer: live, Namespace: o.namespace, Limits: limits.Of(o.user, o.agent), Version: version}
	digestKey, err := store.EnsureDigestKey(ctx)
	if err != nil {
		return fmt.Errorf("prepare namespace %s: %w", o.namespace, err)
	}
	mgr, err := ctrl.NewManager(cfg, ctrl.Options{
		Scheme:                        scheme,
		Cache:                         caches.Controller(bundler.Digested(digestKey), o.tenants),
		Metrics:                       metricsserver.Options{BindAddress: o.metricsAddr},
		HealthProbeBindAddress:        o.healthAddr,
		LivenessEndpointName:          "/livez",
		LeaderElection:                o.leaderElect,
		LeaderElectionID:              "latchkey-controller",
		LeaderElectionNamespace:       o.namespace,
		LeaderElectionReleaseOnCancel: true,
	})
	if err != nil {
		return fmt.Errorf("set up the controller: %w", err)
	}
	var ring *keyring.Ring
	ring = keyring.NewRing(func(ctx context.Context) error { return store.LoadInto(ctx, ring) })
	if err := addControllers(ctx, mgr, o, live, store, ring, digestKey); err != nil {
		return err
	}
	if o.certificate {
		dir, err := os.MkdirTemp("", "latchkey-certs-")
		if err != nil {
			return fmt.Errorf("make a directory for the certificate: %w", err)
		}
		defer os.RemoveAll(dir) //nolint:errcheck // a directory with an empty file; nothing is lost
		if err := errors.Join(certs.EnsureSecret(ctx, live, o.namespace), certs.AddRotator(mgr, o.namespace, dir)); err != nil {
			return fmt.Errorf("set up the certificate rotation: %w", err)
		}
	}
	if err := addChecks(mgr, ring, nil); err != nil {
		return err
	}
	log.Info("Starting the controller", "version", version)
	return mgr.Start(ctx)
}

// addControllers adds the reconcilers.
func addControllers(ctx context.Context, mgr ctrl.Manager, o *controllerOptions, live client.Client, store *keyring.Store, ring *keyring.Ring, digestKey digest.Key) error {
	keys, err := caches.Keys(mgr.GetConfig(), mgr.GetScheme(), o.namespace, nil)
	if err != nil {
		return fmt.Errorf("set up the cache of sealing keys: %w", err)
	}
	secrets, err := caches.NewVersions(mgr.GetConfig(), mgr.GetScheme(), o.tenants)
	if err != nil {
		return fmt.Errorf("set up what knows the versions of Secrets: %w", err)
	}
	// Every replica has the keys, so that it is ready to lead. The versions of
	// Secrets are not loaded in advance, but looked up when they are needed.
	if err := errors.Join(mgr.Add(runnable(keys.Start)), mgr.Add(secrets)); err != nil {
		return err
	}
	if err := keyring.Watch(ctx, keys, o.namespace, ring); err != nil {
		return err
	}
	own, err := caches.Own(mgr.GetConfig(), mgr.GetScheme(), o.namespace)
	if err != nil {
		return fmt.Errorf("set up the cache of Latchkey's own objects: %w", err)
	}
	if err := mgr.Add(own); err != nil {
		return err
	}
	beforeWrites, err := addRestarts(mgr, o, live, own, digestKey)
	if err != nil {
		return fmt.Errorf("set up the rollout controller: %w", err)
	}
	for _, adapter := range []bundler.Adapter{bundler.Users(o.user, o.targets, digestKey), bundler.Agents(o.agent, o.targets)} {
		r := &bundler.Reconciler{
			Adapter:            adapter,
			Client:             mgr.GetClient(),
			Live:               live,
			Opener:             ring,
			Events:             mgr.GetEventRecorder("latchkey"),
			DigestKey:          digestKey,
			DropMissingSources: o.dropMissing,
			BeforeWrites:       beforeWrites,
		}
		if err := r.SetupWithManager(mgr, secrets, keyEvents(ring), o.workers); err != nil {
			return fmt.Errorf("set up the %s controller: %w", adapter.Name, err)
		}
	}
	if err := addAggregation(ctx, mgr, o, live); err != nil {
		return fmt.Errorf("set up the aggregation controller: %w", err)
	}
	if err := addRepair(ctx, mgr, o, live, own, store, ring, digestKey); err != nil {
		return fmt.Errorf("set up the repair controller: %w", err)
	}
	path := &admissionpath.Reconciler{Live: live, Clock: clock.RealClock{}, Namespace: o.namespace}
	if err := path.SetupWithManager(mgr); err != nil {
		return fmt.Errorf("set up the controller of the admission path: %w", err)
	}
	return errors.Join(
		mgr.Add(&keyrotation.Controller{Client: mgr.GetClient(), Live: live, Store: store, Ring: ring, Clock: clock.RealClock{}, Options: o.keys()}),
		mgr.Add(&cleanup.Controller{Client: mgr.GetClient(), Clock: clock.RealClock{}}),
	)
}

// addAggregation adds the controller that unregisters the aggregated APIs while no server
// is ready.
func addAggregation(ctx context.Context, mgr ctrl.Manager, o *controllerOptions, live client.Client) error {
	slices, err := caches.Endpoints(mgr.GetConfig(), mgr.GetScheme(), o.namespace, aggregation.ServiceName)
	if err != nil {
		return fmt.Errorf("set up the cache of endpoints: %w", err)
	}
	r := &aggregation.Reconciler{Slices: slices, Live: live, Clock: clock.RealClock{}, Namespace: o.namespace, After: o.unregister, Seen: &aggregation.Seen{}}
	return r.SetupWithManager(ctx, mgr, slices)
}

// keyEvents sends an event after every change of the sealing keys, when the ring knows
// it. An event that was not received yet stands for all that follow.
func keyEvents(ring *keyring.Ring) <-chan event.GenericEvent {
	out := make(chan event.GenericEvent, 1)
	ring.Notify(func() {
		select {
		case out <- event.GenericEvent{Object: &v1alpha1.UserSecret{}}:
		default:
		}
	})
	return out
}
