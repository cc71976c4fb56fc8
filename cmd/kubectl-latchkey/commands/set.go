// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"context"
	"crypto/rand"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/users"
	"github.com/latchkey-dev/latchkey/internal/policy/rules"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

// generatedMin keeps a generated value from being guessed: 80 bits.
const generatedMin = 16

type setOptions struct {
	env, file, description, from string
	disabled, ifAbsent, wait     bool
	generate                     int
	timeout                      time.Duration
	dryRun                       string
	value                        cli.ValueSource
	output                       cli.Output
	flags                        *pflag.FlagSet
}

func newSet(f *cli.Factory) *cobra.Command {
	o := &setOptions{}
	cmd := &cobra.Command{
		Use:   "set NAME",
		Short: "Create or change a user secret",
		Long: `Create a user secret, or change one.

The value comes from exactly one place: a prompt without echo, piped standard input, a file,
a Secret of the namespace (--from), or chance (--generate). It is sealed here, so no request
holds it. Without a value, only the other fields of an existing secret are changed.`,
		Example: `  kubectl latchkey set github-token --env GITHUB_TOKEN
  pass show npm | kubectl latchkey set npm-token --env NPM_TOKEN
  kubectl latchkey set tls-key --value-file key.pem --file ~/.tls/key.pem`,
		Args: names(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), f, args[0]) },
	}
	o.flags = cmd.Flags()
	o.flags.StringVar(&o.env, "env", "", "the environment variable that pods find the value in; empty takes it away")
	o.flags.StringVar(&o.file, "file", "", "the file that pods find the value in, such as ~/.netrc; empty takes it away")
	o.flags.StringVar(&o.description, "description", "", "a text for people")
	o.flags.StringVar(&o.from, "from", "", "take the value from a Secret of the namespace: SECRET/KEY")
	o.flags.BoolVar(&o.disabled, "disabled", false, "store it without projecting it into pods")
	o.flags.BoolVar(&o.ifAbsent, "if-absent", false, "leave a secret that exists as it is")
	o.flags.IntVar(&o.generate, "generate", 0, "make a random value of so many letters and digits")
	o.flags.Lookup("generate").NoOptDefVal = "32"
	o.flags.BoolVar(&o.wait, "wait", false, "wait until it is ready")
	o.flags.DurationVar(&o.timeout, "timeout", time.Minute, "how long to wait")
	addDryRun(o.flags, &o.dryRun)
	o.value.AddFlags(o.flags)
	o.output.AddFlag(o.flags, "json", "yaml", "name")
	return cmd
}

func (o *setOptions) check(name string) error {
	sources := 0
	for _, given := range []bool{o.value.File != "" || o.value.Keep, o.from != "", o.generate != 0} {
		if given {
			sources++
		}
	}
	if sources > 1 {
		return cli.Usage("choose one of --value-file, --keep-value, --from and --generate")
	}
	if o.flags.Changed("generate") && (o.generate < generatedMin || o.generate > rules.MaxValueBytes) {
		return cli.Usage("--generate takes %d to %d", generatedMin, rules.MaxValueBytes)
	}
	if secret, key, ok := strings.Cut(o.from, "/"); o.from != "" && (!ok || secret == "" || key == "") {
		return cli.Usage("--from takes SECRET/KEY")
	}
	if problems := o.draft(name, seal.Value{}, false).Check(); len(problems) > 0 {
		field := "NAME"
		if problems[0].Field != users.FieldName {
			field = "--" + string(problems[0].Field)
		}
		return cli.Refused("%s: %s. Try: kubectl explain usersecrets.%s", field, strings.TrimSuffix(problems[0].Text, "."), problems[0].Field.Path())
	}
	return nil
}

func (o *setOptions) run(ctx context.Context, f *cli.Factory, name string) error {
	if err := o.check(name); err != nil {
		return err
	}
	c, namespace, err := begin(f, &o.output, o.dryRun)
	if err != nil {
		return err
	}
	items, err := c.Users(ctx, namespace, metav1.ListOptions{})
	if err != nil {
		return err
	}
	present, err := cluster.Pick(items, name)
	if err != nil {
		return err
	}
	if present != nil && o.ifAbsent {
		f.Notice("UserSecret %s exists, and was left as it is.", present.Meta().Name)
		return o.output.Object(f.Out, present.Object(), "unchanged")
	}
	value, found, err := o.read(ctx, f.Streams, name, present == nil)
	if err != nil {
		return err
	}
	var done cluster.Item
	word := "created"
	if present == nil {
		done, err = o.create(ctx, c, namespace, o.draft(name, value, found))
	} else {
		done, word, err = o.change(ctx, c, *present, o.draft(name, value, found))
	}
	if err != nil {
		return err
	}
	if err := o.output.Object(f.Out, done.Object(), word+dryRunNote(o.dryRun)); err != nil {
		return err
	}
	if present != nil && (found || o.from != "") && word == "configured" {
		sayOld(ctx, f, c, done)
	}
	if !o.wait || o.dryRun != "none" {
		return nil
	}
	return awaitReady(ctx, f, c, done, o.timeout)
}

// read returns the value, if there is one. A prompt comes for a new secret, and for one
// of which nothing else is to be changed.
func (o *setOptions) read(ctx context.Context, s cli.Streams, name string, isNew bool) (seal.Value, bool, error) {
	switch {
	case o.generate != 0:
		var text strings.Builder
		for text.Len() < o.generate {
			text.WriteString(rand.Text())
		}
		return seal.ValueOf(text.String()[:o.generate]), true, nil
	case o.from != "":
		return seal.Value{}, false, nil
	}
	value, found, err := o.value.Read(ctx, s, name, isNew || len(o.fields()) == 0)
	if err != nil || !found {
		return value, found, err
	}
	if problem := rules.Value(value.Reveal(), true); problem != "" {
		return seal.Value{}, false, cli.Refused("value: %s. Try: kubectl explain usersecrets.%s", problem, users.FieldValue.Path())
	}
	return value, true, nil
}

// fields are those of spec that flags set, but for the value.
func (o *setOptions) fields() map[string]any {
	spec := map[string]any{}
	for flag, set := range map[string]struct {
		field string
		value any
	}{
		"env": {"envName", o.env}, "file": {"filePath", o.file}, "description": {"description", o.description}, "disabled": {"enabled", !o.disabled},
	} {
		if o.flags.Changed(flag) {
			spec[set.field] = set.value
		}
	}
	return spec
}

func (o *setOptions) source() *v1alpha1.ValueSource {
	if o.from == "" {
		return nil
	}
	secret, key, _ := strings.Cut(o.from, "/")
	return &v1alpha1.ValueSource{SecretKeyRef: v1alpha1.SecretKeyRef{Name: secret, Key: key}}
}

func (o *setOptions) draft(name string, value seal.Value, found bool) users.Draft {
	d := users.Draft{Name: name, Env: o.env, File: o.file, Description: o.description, Disabled: o.disabled, From: o.source()}
	if found {
		d.Value = &value
	}
	return d
}

func (o *setOptions) create(ctx context.Context, c *cluster.Cluster, namespace string, draft users.Draft) (cluster.Item, error) {
	obj, err := users.New(ctx, c, namespace, draft)
	if err != nil {
		return cluster.Item{}, err
	}
	if o.dryRun == "client" {
		obj.APIVersion, obj.Kind = v1alpha1.GroupVersion.String(), "UserSecret"
		return cluster.Item{User: obj}, nil
	}
	return c.CreateUser(ctx, obj, o.dryRun == "server")
}

func (o *setOptions) change(ctx context.Context, c *cluster.Cluster, present cluster.Item, draft users.Draft) (cluster.Item, string, error) {
	spec := o.fields()
	if err := draft.WithValue(ctx, c, present, spec); err != nil {
		return cluster.Item{}, "", err
	}
	if len(spec) == 0 {
		return cluster.Item{}, "", cli.Usage("nothing to change: give a value on standard input or by --value-file, or one of --env, --file, --description, --from")
	}
	if o.dryRun == "client" {
		return present, "configured", nil
	}
	done, err := c.Patch(ctx, present, spec, o.dryRun == "server")
	if err != nil {
		return cluster.Item{}, "", err
	}
	if done.Meta().ResourceVersion == present.Meta().ResourceVersion {
		return done, "unchanged", nil
	}
	return done, "configured", nil
}
