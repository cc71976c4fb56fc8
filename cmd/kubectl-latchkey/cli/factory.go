// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"flag"
	"io/fs"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
)

// SystemNamespace is where Latchkey is installed, unless it is said otherwise.
const SystemNamespace = "latchkey-system"

// Factory makes what commands need of the flags that all of them have.
type Factory struct {
	Streams
	// Version is that of the plugin.
	Version string
	// SystemNamespace is Latchkey's own namespace.
	SystemNamespace string

	flags *genericclioptions.ConfigFlags
}

// NewFactory returns a factory whose flags are added to a set.
func NewFactory(streams Streams, version string, set *pflag.FlagSet) *Factory {
	f := &Factory{Streams: streams, Version: version, flags: genericclioptions.NewConfigFlags(true)}
	f.flags.CacheDir = nil // nothing is discovered, so nothing is cached
	f.flags.AddFlags(set)
	system := os.Getenv("LATCHKEY_SYSTEM_NAMESPACE")
	if system == "" {
		system = SystemNamespace
	}
	set.StringVar(&f.SystemNamespace, "system-namespace", system, "Latchkey's own namespace")
	verbosity := flag.NewFlagSet("klog", flag.ContinueOnError)
	klog.InitFlags(verbosity)
	set.AddGoFlag(verbosity.Lookup("v"))
	return f
}

// Config returns what leads to the cluster, with the caller's rights.
func (f *Factory) Config() (*rest.Config, error) {
	config, err := f.flags.ToRESTConfig()
	if err != nil {
		return nil, f.unusable(err)
	}
	if f.leadsNowhere(config) {
		return nil, Usage("there is no kubeconfig with a cluster: choose one with --kubeconfig. Try: kubectl config get-contexts")
	}
	config = rest.CopyConfig(config)
	config.QPS = -1 // the API server guards itself
	config.UserAgent = "kubectl-latchkey/" + f.Version
	config.WarningHandler = rest.NewWarningWriter(f.ErrOut, rest.WarningWriterOptions{
		Deduplicate: true, Color: f.ErrTerminal && !f.NoColor,
	})
	if f.ErrTerminal {
		config.Wrap(func(next http.RoundTripper) http.RoundTripper { return slow{f.Streams, next} })
	}
	return config, nil
}

// ChosenNamespace returns the namespace that a flag chose, "" for none. It reads no
// kubeconfig.
func (f *Factory) ChosenNamespace() string { return *f.flags.Namespace }

// Namespace returns the namespace to work in, and whether a flag chose it.
func (f *Factory) Namespace() (string, bool, error) {
	namespace, _, err := f.flags.ToRawKubeConfigLoader().Namespace()
	if err != nil {
		return "", false, f.unusable(err)
	}
	return namespace, f.flags.Namespace != nil && *f.flags.Namespace != "", nil
}

// leadsNowhere reports whether nothing says where the cluster is: clients ask this machine
// then, where nobody listens.
func (f *Factory) leadsNowhere(config *rest.Config) bool {
	raw, err := f.flags.ToRawKubeConfigLoader().RawConfig()
	return err == nil && len(raw.Clusters) == 0 && *f.flags.APIServer == "" && config.Host == clientcmd.ClusterDefaults.Server
}

// unusable says what is wrong with the kubeconfig, and nothing of what is in it.
func (f *Factory) unusable(err error) error {
	var file *fs.PathError
	switch {
	case errors.As(err, &file):
		return Usage("kubeconfig %s cannot be read: %w. Try: kubectl config get-contexts", file.Path, file.Err)
	case clientcmd.IsContextNotFound(err) || strings.HasPrefix(err.Error(), "context "):
		return Usage("the kubeconfig has no context of this name. Try: kubectl config get-contexts")
	case clientcmd.IsConfigurationInvalid(err):
		return Usage("the kubeconfig cannot be used: %w. Try: kubectl config view --minify", err)
	}
	return Usage("the kubeconfig cannot be read. Try: kubectl config view")
}
