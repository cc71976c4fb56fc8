// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"net"
	"regexp"
	"strconv"

	"github.com/go-logr/logr"
	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/logging"
	"github.com/latchkey-dev/latchkey/internal/policy/limits"
	"github.com/latchkey-dev/latchkey/internal/policy/rules"
)

// commonOptions are the choices that both commands offer.
type commonOptions struct {
	logging     logging.Options
	kubeconfig  string
	namespace   string
	tenants     []string
	metricsAddr string
	healthAddr  string
	user        limits.User
	agent       limits.Agent
	projected   rules.TargetOptions
	targets     *rules.Targets // what projected comes to, once it is validated
}

func (o *commonOptions) addFlags(fs *pflag.FlagSet) {
	o.logging.AddFlags(fs)
	o.user, o.agent = limits.DefaultUser(), limits.DefaultAgent()
	fs.StringVar(&o.kubeconfig, "kubeconfig", "", "Kubeconfig file. Without it, the pod's own service account is used.")
	fs.StringVar(&o.namespace, "namespace", "latchkey-system", "Latchkey's own namespace, where the sealing keys are.")
	fs.StringSliceVar(&o.tenants, "tenant-namespaces", nil, "Namespaces whose objects are served, separated by commas; all where none is named. No rights are needed in others. Their objects stay as they are, and sealing keys are kept forever, since one of those may need them.")
	fs.StringVar(&o.metricsAddr, "metrics-bind-address", ":8080", "Address of the metrics, or 0 for none.")
	fs.StringVar(&o.healthAddr, "health-probe-bind-address", ":8081", "Address of /livez and /readyz.")
	fs.IntVar(&o.user.Secrets, "user-max-secrets", o.user.Secrets, "User secrets that a tenant can have.")
	fs.IntVar(&o.user.ValueBytes, "user-max-value-bytes", o.user.ValueBytes, "Sum of a tenant's user secrets' values, in bytes.")
	fs.IntVar(&o.user.EnvValueBytes, "user-max-env-value-bytes", o.user.EnvValueBytes, "Sum of a tenant's user secrets' values that have an environment variable, in bytes.")
	fs.IntVar(&o.agent.Secrets, "agent-max-secrets", o.agent.Secrets, "Agent secrets that a tenant can have.")
	fs.IntVar(&o.agent.ValueBytes, "agent-max-value-bytes", o.agent.ValueBytes, "Size of an agent secret's value, in bytes of JSON.")
	fs.StringSliceVar(&o.projected.Roots, "file-roots", rules.DefaultRoots(), "Directories in which files of user secrets may be in pods, separated by commas; ~ is the home. Elsewhere, and under names that shells, interpreters and tools read before a program's own code, none is projected. A root of such a name, such as ~/.gitconfig, allows it.")
	fs.StringSliceVar(&o.projected.Refused, "refused-variables", nil, "Variables that are not projected into pods, besides those by which loaders, shells, interpreters and tools run code. An asterisk at one end of a name stands for anything.")
	fs.StringSliceVar(&o.projected.Allowed, "allowed-variables", nil, "Variables that are projected into pods although they are among the refused ones. An asterisk at one end of a name stands for anything.")
	fs.IntVar(&o.agent.TotalValueBytes, "agent-max-total-value-bytes", o.agent.TotalValueBytes, "Sum of a tenant's agent secrets' values, in bytes of JSON.")
}

var namespacePattern = regexp.MustCompile("^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")

func (o *commonOptions) validate() error {
	errs := []error{o.logging.Validate()}
	if !namespacePattern.MatchString(o.namespace) {
		errs = append(errs, errors.New("--namespace must be the name of a namespace"))
	}
	for _, tenant := range o.tenants {
		if !namespacePattern.MatchString(tenant) || tenant == o.namespace {
			errs = append(errs, fmt.Errorf("--tenant-namespaces must be names of namespaces other than Latchkey's own, not %q", tenant))
		}
	}
	var err error
	if o.targets, err = rules.NewTargets(o.projected); err != nil {
		errs = append(errs, fmt.Errorf("--file-roots, --refused-variables and --allowed-variables: %w", err))
	}
	for _, f := range []struct{ flag, address string }{
		{"metrics-bind-address", o.metricsAddr},
		{"health-probe-bind-address", o.healthAddr},
	} {
		if f.address == "0" {
			continue // none
		}
		if _, _, err := hostPort(f.flag, f.address); err != nil {
			errs = append(errs, err)
		}
	}
	for _, f := range []struct {
		flag  string
		value int
	}{
		{"user-max-secrets", o.user.Secrets},
		{"user-max-value-bytes", o.user.ValueBytes},
		{"user-max-env-value-bytes", o.user.EnvValueBytes},
		{"agent-max-secrets", o.agent.Secrets},
		{"agent-max-value-bytes", o.agent.ValueBytes},
		{"agent-max-total-value-bytes", o.agent.TotalValueBytes},
	} {
		if f.value < 1 {
			errs = append(errs, fmt.Errorf("--%s must be 1 or more, not %d", f.flag, f.value))
		}
	}
	if o.agent.ValueBytes > 64<<10 {
		errs = append(errs, errors.New("--agent-max-value-bytes must be at most 65536, since a sealed value has to fit its field"))
	}
	return errors.Join(errs...)
}

// config returns how to reach the API server. There is no rate limit of our own:
// the API server's fairness guards it, and a limit here would only delay users.
func (o *commonOptions) config(log logr.Logger) (*rest.Config, error) {
	cfg, err := clientcmd.BuildConfigFromFlags("", o.kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("find the cluster (set --kubeconfig, or run in a pod): %w", err)
	}
	cfg.QPS = -1
	cfg.UserAgent = "latchkey/" + version
	log.V(1).Info("Found the cluster", "host", cfg.Host)
	return cfg, nil
}

// newScheme returns the kinds that Latchkey reads and writes.
func newScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	return scheme
}

// hostPort splits an address such as ":9443".
func hostPort(flag, address string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(address)
	if err == nil {
		port, err = strconv.Atoi(text)
	}
	if err != nil || port < 1 || port > 65535 {
		return "", 0, fmt.Errorf("--%s must be an address such as :9443, not %q", flag, address)
	}
	return host, port, nil
}
