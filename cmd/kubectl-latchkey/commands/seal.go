// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"context"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/agents"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/manifest"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/sealer"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/sealing"
)

// keySource is where public keys come from: a file, and then nothing is asked of a
// cluster, or the cluster.
type keySource struct{ file string }

func (k *keySource) addFlag(set *pflag.FlagSet) {
	set.StringVar(&k.file, "key", "", "work offline with the public keys in this file: ConfigMap latchkey-public-keys as YAML or JSON, or its public.b64")
}

func (k *keySource) offline() bool { return k.file != "" }

// read returns the keys, and the cluster where it was asked.
func (k *keySource) read(ctx context.Context, f *cli.Factory) (sealer.Keys, *cluster.Cluster, error) {
	if k.offline() {
		text, err := os.ReadFile(k.file)
		if err != nil {
			return sealer.Keys{}, nil, err
		}
		keys, err := sealer.ParseKeys(text)
		if err != nil {
			return sealer.Keys{}, nil, cli.Usage("--key %s: %w", k.file, err)
		}
		return keys, nil, nil
	}
	c, err := cluster.New(f)
	if err != nil {
		return sealer.Keys{}, nil, err
	}
	published, err := c.Published(ctx)
	return published.Keys, c, err
}

// namespace returns the namespace to seal for. Offline, the kubeconfig's is nobody's
// choice: a value that is sealed for the wrong one does not open.
func (k *keySource) namespace(f *cli.Factory) (string, error) {
	if k.offline() {
		return f.ChosenNamespace(), nil
	}
	namespace, _, err := f.Namespace()
	return namespace, err
}

type sealOptions struct {
	keys     keySource
	value    cli.ValueSource
	file     string
	inPlace  bool
	kind     string
	path     string
	typ      string
	asJSON   bool
	boundUID string
}

func newSeal(f *cli.Factory) *cobra.Command {
	o := &sealOptions{}
	cmd := &cobra.Command{
		Use:   "seal NAME -n NAMESPACE | -f MANIFEST",
		Short: "Seal a value, or the values in a manifest, so that only the cluster can open them",
		Long: "Seal a value for one object, or every value in a manifest. What is sealed can lie in a repository.\n\n" +
			"The value comes from a prompt, from standard input or from a file. With --key, nothing is asked of a cluster.",
		Example: "  kubectl latchkey seal github-token -n alice < token\n" +
			"  kubectl latchkey seal -f secrets.yaml -i\n" +
			"  kubectl latchkey seal db-password -n prod --kind AgentSecret --path db/password --type string --key public-keys.yaml",
		Args: names(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) == 0 && o.file == "":
				return cli.Usage("name a secret, or a manifest with -f")
			case len(args) == 1 && o.file != "":
				return cli.Usage("a name and -f exclude each other")
			case o.file != "":
				return o.manifest(cmd.Context(), f)
			}
			return o.one(cmd.Context(), f, args[0])
		},
	}
	set := cmd.Flags()
	o.keys.addFlag(set)
	o.value.AddFlags(set)
	set.StringVarP(&o.file, "filename", "f", "", "seal the values in this manifest; - is standard input")
	set.BoolVarP(&o.inPlace, "in-place", "i", false, "change the manifest instead of printing it")
	set.StringVar(&o.kind, "kind", manifest.KindUser, "kind of the object: UserSecret or AgentSecret")
	set.StringVar(&o.path, "path", "", "path of an AgentSecret, such as db/password")
	set.StringVar(&o.typ, "type", "string", "type of an AgentSecret, such as string or record{host: string, port: u16}; @FILE reads it from a file")
	set.BoolVar(&o.asJSON, "json", false, "the value of a string is a JSON string too")
	set.StringVar(&o.boundUID, "namespace-uid", "", "seal for the UID of the namespace as well, which no later namespace of its name has")
	return cmd
}

func (o *sealOptions) manifest(ctx context.Context, f *cli.Factory) error {
	if o.inPlace && o.file == sealing.Stdin {
		return cli.Usage("standard input cannot be changed in place")
	}
	keys, _, err := o.keys.read(ctx, f)
	if err != nil {
		return err
	}
	// The namespace that was chosen has to be the manifest's; the kubeconfig's only fills
	// in what is missing.
	namespace, err := o.keys.namespace(f)
	if err != nil {
		return err
	}
	s := sealing.Seal{
		Path: o.file, InPlace: o.inPlace, NamespaceUID: o.boundUID, Key: keys.Newest, In: f.Input(ctx), Out: f.Out, Err: f.ErrOut,
		Namespace: f.ChosenNamespace(), DefaultNamespace: namespace,
	}
	return s.Run()
}

// one prints the sealed value of one object.
func (o *sealOptions) one(ctx context.Context, f *cli.Factory, name string) error {
	namespace, err := o.keys.namespace(f)
	if err != nil {
		return err
	}
	if namespace == "" {
		return cli.Usage("choose the namespace with -n: the value is sealed for it")
	}
	target := sealer.User(namespace, name)
	switch o.kind {
	case manifest.KindUser:
	case manifest.KindAgent:
		t, err := parseType(o.typ)
		if err != nil {
			return err
		}
		if target, err = sealer.Agent(namespace, name, splitPath(o.path), false, t); err != nil {
			return cli.Usage("--path: %w", err)
		}
	default:
		return cli.Usage("--kind has to be UserSecret or AgentSecret")
	}
	keys, _, err := o.keys.read(ctx, f)
	if err != nil {
		return err
	}
	value, found, err := o.value.Read(ctx, f.Streams, name, true)
	if err != nil {
		return err
	}
	if !found {
		return cli.Usage("there is no value: pipe it in, or name a file with --value-file")
	}
	checked, err := target.Check(agents.AsJSON(target.Type, value, o.asJSON))
	if err != nil {
		return cli.Refused("the value: %w", err)
	}
	target.Context.NamespaceUID = o.boundUID
	text, err := target.Seal(keys.Newest, checked)
	if err != nil {
		return err
	}
	f.Printf("%s\n", text)
	return nil
}
