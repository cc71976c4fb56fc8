// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package framework

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// SystemNamespace is Latchkey's own namespace.
const SystemNamespace = "latchkey-system"

// Cluster is a control plane in which Latchkey is installed. Its processes are
// started by the caller.
type Cluster struct {
	// Root is the folder of Latchkey's repository.
	Root string
	// Dir holds logs, kubeconfigs and binaries of this cluster.
	Dir string
	// Config and Client are the administrator's. Client has no cache.
	Config *rest.Config
	Client client.Client
	// Kubectl is the administrator's.
	Kubectl Kubectl
	// Audit is the API server's audit log.
	Audit Audit
	// Etcd is the API server's store.
	Etcd Etcd

	environment *envtest.Environment
	auditPolicy string
	binary      string
	webhookPort int
	restPort    int
	manifests   string
	ports       ports
	processes   []*Process
	components  map[string]*Component
}

// Start starts a control plane and installs Latchkey in it. The caller stops it.
func Start(ctx context.Context, options ...func(*Cluster)) (*Cluster, error) {
	root, err := moduleRoot()
	if err != nil {
		return nil, err
	}
	assets, err := findAssets(root)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "latchkey-test-")
	if err != nil {
		return nil, err
	}
	c := &Cluster{Root: root, Dir: dir, auditPolicy: auditPolicy}
	for _, o := range options {
		o(c)
	}
	if err := c.start(ctx, assets); err != nil {
		return nil, errors.Join(fmt.Errorf("%w (logs: %s)", err, dir), c.Stop(true))
	}
	return c, nil
}

func (c *Cluster) start(ctx context.Context, assets string) error {
	var err error
	for _, port := range []*int{&c.webhookPort, &c.restPort} {
		if *port, err = c.ports.pick(); err != nil {
			return err
		}
	}
	// The build and the control plane do not wait for each other.
	var group errgroup.Group
	group.Go(func() error {
		var err error
		c.binary, err = buildLatchkey(ctx, c.Root, c.Dir)
		return err
	})
	group.Go(func() error { return c.startControlPlane(assets) })
	if err := group.Wait(); err != nil {
		return err
	}
	c.Client, err = client.New(c.Config, client.Options{Scheme: NewScheme()})
	if err != nil {
		return fmt.Errorf("reach the API server: %w", err)
	}
	admin := filepath.Join(c.Dir, "admin.kubeconfig")
	if err := os.WriteFile(admin, c.environment.KubeConfig, 0o600); err != nil {
		return err
	}
	c.Kubectl = NewKubectl(filepath.Join(assets, "kubectl"), admin, filepath.Join(c.Dir, "kubectl"))
	return c.install(ctx)
}

func (c *Cluster) startControlPlane(assets string) error {
	policy := filepath.Join(c.Dir, "audit-policy.yaml")
	if err := os.WriteFile(policy, []byte(c.auditPolicy), 0o600); err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(c.Dir, "kube-apiserver.log"))
	if err != nil {
		return err
	}
	c.Audit = Audit{path: filepath.Join(c.Dir, "audit.log")}
	c.environment = &envtest.Environment{BinaryAssetsDirectory: assets}
	server := c.environment.ControlPlane.GetAPIServer()
	server.Out, server.Err = log, log
	if err := errors.Join(configureAggregation(server, c.Dir), configureWebhookClient(server, c.Dir)); err != nil {
		return err
	}
	server.Configure().
		Set("audit-policy-file", policy).
		Set("audit-log-path", c.Audit.path).
		Set("audit-log-maxsize", "2000"). // megabytes: it is never rotated, so that a mark stays valid
		Set("endpoint-reconciler-type", "none")
	if c.Config, err = c.environment.Start(); err != nil {
		return fmt.Errorf("start the control plane: %w", err)
	}
	c.Config.QPS = -1
	c.Etcd = EtcdAt(c.environment.ControlPlane.Etcd.URL.String())
	return nil
}

// Stop ends everything. It keeps the logs if asked to; their folder is c.Dir.
func (c *Cluster) Stop(keepLogs bool) error {
	var errs []error
	for _, p := range c.processes {
		_, err := p.Stop()
		errs = append(errs, err)
	}
	for _, component := range c.components {
		component.stop()
	}
	if c.environment != nil {
		errs = append(errs, c.environment.Stop())
	}
	if !keepLogs {
		errs = append(errs, os.RemoveAll(c.Dir))
	}
	return errors.Join(errs...)
}

// Controller returns "latchkey controller", to be started by the caller, with flags.
func (c *Cluster) Controller(name string, flags ...string) (*Process, error) {
	return c.process(name, "controller", 0, flags)
}

// Server returns "latchkey server", to be started by the caller, with flags. The
// first one is the one that the API server calls; others are replicas that a test
// asks by itself, with Review.
func (c *Cluster) Server(name string, flags ...string) (*Process, error) {
	hooks, secure := c.webhookPort, c.restPort
	if slices.ContainsFunc(c.processes, func(p *Process) bool { return p.webhookPort == hooks }) {
		for _, port := range []*int{&hooks, &secure} {
			var err error
			if *port, err = c.ports.pick(); err != nil {
				return nil, err
			}
		}
	}
	return c.process(name, "server", hooks, append([]string{
		"--webhook-bind-address=" + address(hooks),
		"--secure-bind-address=" + address(secure),
		"--shutdown-delay=0s", // nobody has to be told first
	}, flags...))
}

func (c *Cluster) process(name, command string, webhookPort int, flags []string) (*Process, error) {
	p := &Process{name: name, binary: c.binary, log: filepath.Join(c.Dir, name+".log"), webhookPort: webhookPort}
	for _, port := range []*int{&p.metricsPort, &p.healthPort} {
		var err error
		if *port, err = c.ports.pick(); err != nil {
			return nil, err
		}
	}
	p.args = append([]string{
		command,
		"--kubeconfig=" + c.kubeconfig(command),
		"--namespace=" + SystemNamespace,
		"--metrics-bind-address=" + address(p.metricsPort),
		"--health-probe-bind-address=" + address(p.healthPort),
		"-v=10",
	}, flags...)
	c.processes = append(c.processes, p)
	return p, nil
}

// ControllerConfig returns how the controller's account reaches the API server, for a
// controller in the caller's own process.
func (c *Cluster) ControllerConfig() (*rest.Config, error) {
	return clientcmd.BuildConfigFromFlags("", c.kubeconfig("controller"))
}

// Binary returns the latchkey binary.
func (c *Cluster) Binary() string { return c.binary }

// Logs returns the log files of all processes, and the API server's logs.
func (c *Cluster) Logs() ([]string, error) { return filepath.Glob(filepath.Join(c.Dir, "*.log")) }

func (c *Cluster) kubeconfig(command string) string {
	return filepath.Join(c.Dir, command+".kubeconfig")
}
