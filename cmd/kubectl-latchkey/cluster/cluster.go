// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package cluster is what the commands ask of the Kubernetes API, with the caller's own
// rights, and in as few requests as it takes. It owns the words in which a refused request
// reaches a person.
package cluster

import (
	"context"
	"encoding/json"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/sealer"
	"github.com/latchkey-dev/latchkey/internal/policy/limits"
)

const (
	// FieldManager is the name under which the command line writes.
	FieldManager = "kubectl-latchkey"

	// PublicKeysName is the ConfigMap that Latchkey publishes for clients.
	PublicKeysName = "latchkey-public-keys"
	// PublicKeyID is its key for the id of the key that seals.
	PublicKeyID = "key-id"
	// LimitsJSON is its key for a tenant's limits.
	LimitsJSON = "limits.json"
	// VersionKey is its key for the server's version.
	VersionKey = "version"
)

// Cluster asks one cluster.
type Cluster struct {
	// Core is the API of pods, Secrets and namespaces.
	Core corev1client.CoreV1Interface
	// Metadata reads and writes the metadata of any object, without what is in it.
	Metadata metadata.Interface
	// System is Latchkey's own namespace.
	System string
	// Progress begins to say how far something is; nil where nobody looks on.
	Progress func(what string) *cli.Progress
	// Config leads to the cluster.
	Config *rest.Config

	latchkey   rest.Interface
	parameters runtime.ParameterCodec
}

// New returns the cluster that the flags lead to.
func New(f *cli.Factory) (*Cluster, error) {
	config, err := f.Config()
	if err != nil {
		return nil, err
	}
	c, err := For(config, f.SystemNamespace)
	if err != nil {
		return nil, err
	}
	c.Progress = f.Progress
	return c, nil
}

// For returns the cluster that a config leads to; system is Latchkey's own namespace.
func For(config *rest.Config, system string) (*Cluster, error) {
	var err error
	c := &Cluster{Config: config, System: system}
	if c.Core, err = corev1client.NewForConfig(config); err != nil {
		return nil, cli.Usage("%w", err)
	}
	if c.Metadata, err = metadata.NewForConfig(config); err != nil {
		return nil, cli.Usage("%w", err)
	}
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	own := rest.CopyConfig(config)
	own.GroupVersion, own.APIPath = &v1alpha1.GroupVersion, "/apis"
	own.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	c.parameters = runtime.NewParameterCodec(scheme)
	if c.latchkey, err = rest.RESTClientFor(own); err != nil {
		return nil, cli.Usage("%w", err)
	}
	return c, nil
}

// Open returns the cluster and the namespace that the flags lead to.
func Open(f *cli.Factory) (c *Cluster, namespace string, err error) {
	if c, err = New(f); err != nil {
		return nil, "", err
	}
	namespace, _, err = f.Namespace()
	return c, namespace, err
}

// Path addresses a path of the API, to read it.
func (c *Cluster) Path(path string) *rest.Request { return c.latchkey.Get().AbsPath(path) }

// Unlogged returns a context for requests that hold values or private keys, or whose
// answers do: at high verbosity the client logs bodies.
func Unlogged(ctx context.Context) context.Context { return klog.NewContext(ctx, logr.Discard()) }

// Published is what Latchkey publishes for clients.
type Published struct {
	// Keys are the public keys, of which the newest seals.
	Keys sealer.Keys
	// Limits are a tenant's; those of the contracts where the server is too old to say.
	Limits limits.Limits
	// Version is the server's; "" where it is too old to say.
	Version string
}

// Published reads what Latchkey publishes.
func (c *Cluster) Published(ctx context.Context) (Published, error) {
	found, err := c.Core.ConfigMaps(c.System).Get(ctx, PublicKeysName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return Published{}, cli.Refused("ConfigMap %s is not in namespace %s: Latchkey is installed elsewhere (say where with --system-namespace), "+
			"or not at all, or its controller has not run yet. Try: kubectl latchkey doctor --system", PublicKeysName, c.System)
	}
	if err != nil {
		return Published{}, Explain(err)
	}
	published, err := ParsePublished(found.Data)
	if err != nil {
		return Published{}, err
	}
	return published, nil
}

// ParsePublished reads the data of that ConfigMap.
func ParsePublished(data map[string]string) (Published, error) {
	keys, err := sealer.KeysOf(data)
	if err != nil {
		return Published{}, cli.Refused("ConfigMap %s holds no public key. Try: kubectl latchkey doctor --system", PublicKeysName)
	}
	p := Published{Keys: keys, Version: data[VersionKey], Limits: limits.Of(limits.DefaultUser(), limits.DefaultAgent())}
	if text, has := data[LimitsJSON]; has {
		if err := json.Unmarshal([]byte(text), &p.Limits); err != nil {
			return Published{}, cli.Refused("ConfigMap %s has limits that cannot be read. Try: kubectl latchkey doctor --system", PublicKeysName)
		}
	}
	return p, nil
}
