// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package sealer

import (
	"encoding/json"
	"errors"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/manifest"
	"github.com/latchkey-dev/latchkey/internal/binding"
	"github.com/latchkey-dev/latchkey/internal/policy/limits"
	"github.com/latchkey-dev/latchkey/internal/policy/rules"
	"github.com/latchkey-dev/latchkey/internal/seal"
	"github.com/latchkey-dev/latchkey/internal/typedvalue"
	"github.com/latchkey-dev/latchkey/internal/typedvalue/agentpath"
)

// Target is what a value is sealed for, and what may be sealed for it.
type Target struct {
	// Context is the object.
	Context seal.Context
	// Type is the type of an AgentSecret; nil for a UserSecret.
	Type *typedvalue.Type
}

// Seal seals a value: of a UserSecret its text, of an AgentSecret its JSON.
func (t Target) Seal(key *seal.PublicKey, value seal.Value) (string, error) {
	sealed, err := seal.Seal(key, t.Context, value)
	if err != nil {
		return "", err
	}
	return sealed.String(), nil
}

// User returns the target of a UserSecret.
func User(namespace, name string) Target { return Target{Context: binding.User(namespace, name)} }

// Agent returns the target of an AgentSecret with a path in any spelling, or, if canonical,
// as it is stored.
func Agent(namespace, name string, path []string, canonical bool, t *typedvalue.Type) (Target, error) {
	if !canonical {
		var err error
		if path, err = agentpath.Canonical(path); err != nil {
			return Target{}, err
		}
	} else if err := agentpath.CheckCanonical(path); err != nil {
		return Target{}, err
	}
	at, err := binding.Agent(namespace, name, path, t)
	return Target{Context: at, Type: t}, err
}

// Check returns a value in the form in which it is sealed, if it follows the rules of the
// kind.
func (t Target) Check(raw json.RawMessage) (seal.Value, error) {
	if t.Type != nil {
		canonical, err := typedvalue.CheckManifest(t.Type, raw)
		if excess := limits.DefaultAgent().CheckValue(0, len(canonical)); err == nil && excess != nil {
			err = excess
		}
		return seal.NewValue(canonical), err
	}
	var text *string
	if json.Unmarshal(raw, &text) != nil || text == nil {
		return seal.Value{}, errors.New("it must be a string: put it in quotes")
	}
	if problem := rules.Value(*text, true); problem != "" {
		return seal.Value{}, errors.New(problem)
	}
	return seal.ValueOf(*text), nil
}

// Problem is what is wrong with an object.
type Problem struct {
	// Field is where, such as spec.envName.
	Field string
	// Message says what.
	Message string
}

// Error implements error.
func (p Problem) Error() string { return p.Field + ": " + p.Message }

// Object is an object of a manifest that was checked.
type Object struct {
	// Target is what its value is sealed for. It is not valid if a problem is about the
	// path, the type or the name.
	Target Target
	// Value is its plain value, or nil.
	Value *seal.Value
	// KeyID is the key of its sealedValue, "" for none.
	KeyID string
	// Problems are what admission would refuse, as far as that is known without it.
	Problems []Problem
}

// Look checks an object of a manifest for a namespace.
func Look(o *manifest.Object, namespace string) *Object {
	found := &Object{}
	if o.Name == "" {
		found.wrong("metadata.name", "name is required: a value is sealed for it")
	}
	if o.Kind == manifest.KindUser {
		found.user(o, namespace)
	} else {
		found.agent(o, namespace)
	}
	if o.SealedValue != "" {
		if s, err := seal.Parse(o.SealedValue); err != nil {
			found.wrong("spec.sealedValue", err.Error())
		} else {
			found.KeyID = s.KeyID()
		}
	}
	return found
}

func (f *Object) wrong(field, message string) {
	f.Problems = append(f.Problems, Problem{Field: field, Message: message})
}

func (f *Object) user(o *manifest.Object, namespace string) {
	obj := &v1alpha1.UserSecret{}
	if json.Unmarshal(o.JSON, obj) != nil {
		f.wrong("spec", "a field has another type than it should have")
		return
	}
	for _, c := range []struct{ field, problem string }{
		{"spec.name", rules.Name(obj.SecretName())},
		{"spec.envName", rules.EnvName(obj.Spec.EnvName)},
		{"spec.filePath", rules.FilePath(obj.Spec.FilePath)},
		{"spec.description", rules.Description(obj.Spec.Description)},
	} {
		if c.problem != "" {
			f.wrong(c.field, c.problem)
		}
	}
	sources := 0
	for _, has := range []bool{obj.Spec.Value != nil, o.SealedValue != "", obj.Spec.ValueFrom != nil} {
		if has {
			sources++
		}
	}
	if sources != 1 {
		f.wrong("spec", "set exactly one of value, sealedValue and valueFrom")
	}
	f.Target = User(namespace, o.Name)
	if obj.Spec.Value != nil {
		f.value(obj.Spec.Value.Raw())
	}
}

func (f *Object) agent(o *manifest.Object, namespace string) {
	obj := &v1alpha1.AgentSecret{}
	if json.Unmarshal(o.JSON, obj) != nil {
		f.wrong("spec", "a field has another type than it should have")
		return
	}
	if obj.Spec.Value != nil && o.SealedValue != "" {
		f.wrong("spec", "set only one of value and sealedValue")
	}
	t, err := typedvalue.ParseStoredType(obj.Spec.SecretType.Raw)
	if err != nil {
		f.wrong("spec.secretType", err.Error())
		return
	}
	f.Target, err = Agent(namespace, o.Name, obj.Spec.Path, obj.Annotations[v1alpha1.AnnotationCanonicalPath] == "true", t)
	if err != nil {
		f.wrong("spec.path", err.Error())
		return
	}
	if obj.Spec.Value != nil {
		f.value(obj.Spec.Value.Raw())
	}
}

func (f *Object) value(raw json.RawMessage) {
	value, err := f.Target.Check(raw)
	if err != nil {
		f.wrong("spec.value", err.Error())
		return
	}
	f.Value = &value
}
