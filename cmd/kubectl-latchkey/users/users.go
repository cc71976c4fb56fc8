// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package users writes user secrets, for the command line and the page. It seals values
// before they leave.
package users

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
	"github.com/latchkey-dev/latchkey/internal/binding"
	"github.com/latchkey-dev/latchkey/internal/naming"
	"github.com/latchkey-dev/latchkey/internal/policy/rules"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

// Draft is what a person says of a user secret.
type Draft struct {
	// Name is the documented name.
	Name string
	// Env, File and Description are fields of spec.
	Env, File, Description string
	// Disabled stores it without projecting it.
	Disabled bool
	// Value is the value, or nil for none.
	Value *seal.Value
	// From is where the value comes from instead.
	From *v1alpha1.ValueSource
}

// Field is a field of a Draft.
type Field string

// Fields that rules can refuse.
const (
	FieldName        Field = "name"
	FieldEnv         Field = "env"
	FieldFile        Field = "file"
	FieldDescription Field = "description"
	FieldValue       Field = "value"
)

// Path returns where the field is in the object.
func (f Field) Path() string {
	switch f {
	case FieldEnv:
		return "spec.envName"
	case FieldFile:
		return "spec.filePath"
	}
	return "spec." + string(f)
}

// Problem is what is wrong with a field.
type Problem struct {
	// Field is the field.
	Field Field
	// Text says what is wrong, without a value.
	Text string
}

// Check returns what the rules refuse, all of it, in the order of the fields.
func (d Draft) Check() []Problem {
	var problems []Problem
	for _, p := range []Problem{
		{FieldName, rules.Name(d.Name)}, {FieldEnv, rules.EnvName(d.Env)},
		{FieldFile, rules.FilePath(d.File)}, {FieldDescription, rules.Description(d.Description)},
	} {
		if p.Text != "" {
			problems = append(problems, p)
		}
	}
	if d.Value != nil {
		if text := rules.Value(d.Value.Reveal(), true); text != "" {
			problems = append(problems, Problem{FieldValue, text})
		}
	}
	return problems
}

// New returns the object that a Draft makes, with its value sealed.
func New(ctx context.Context, c *cluster.Cluster, namespace string, d Draft) (*v1alpha1.UserSecret, error) {
	if d.Value == nil && d.From == nil {
		return nil, cli.Usage("a new secret needs a value: pipe it to standard input, or use --value-file, --from or --generate")
	}
	enabled := !d.Disabled
	obj := &v1alpha1.UserSecret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: naming.Object(d.Name)},
		Spec: v1alpha1.UserSecretSpec{
			Name: d.Name, EnvName: d.Env, FilePath: d.File, Description: d.Description, Enabled: &enabled, ValueFrom: d.From,
		},
	}
	if d.From == nil {
		text, err := sealFor(ctx, c, namespace, obj.Name, *d.Value)
		if err != nil {
			return nil, err
		}
		obj.Spec.SealedValue = text
	}
	return obj, nil
}

// WithValue adds to a patch of spec what gives an object that is there another value, or
// another source; nothing where the Draft has neither.
func (d Draft) WithValue(ctx context.Context, c *cluster.Cluster, present cluster.Item, spec map[string]any) error {
	switch {
	case d.From != nil:
		spec["valueFrom"], spec["sealedValue"] = d.From, nil
	case d.Value != nil:
		text, err := sealFor(ctx, c, present.Meta().Namespace, present.Meta().Name, *d.Value)
		if err != nil {
			return err
		}
		spec["sealedValue"], spec["valueFrom"] = text, nil
	}
	return nil
}

// sealFor seals a value for a UserSecret.
func sealFor(ctx context.Context, c *cluster.Cluster, namespace, name string, value seal.Value) (string, error) {
	published, err := c.Published(ctx)
	if err != nil {
		return "", err
	}
	sealed, err := seal.Seal(published.Keys.Newest, binding.User(namespace, name), value)
	if err != nil {
		return "", err
	}
	return sealed.String(), nil
}
