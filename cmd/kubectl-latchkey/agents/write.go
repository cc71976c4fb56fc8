// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package agents

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/notation"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/sealer"
	"github.com/latchkey-dev/latchkey/internal/naming"
	"github.com/latchkey-dev/latchkey/internal/seal"
	"github.com/latchkey-dev/latchkey/internal/typedvalue"
)

// Write is a value on its way to an AgentSecret.
type Write struct {
	// Path is where, as people write it.
	Path string
	// Name is metadata.name of a new one; else it is made from the path.
	Name string
	// Type is the type of a new one; nil for that which is there.
	Type *typedvalue.Type
	// Value is JSON.
	Value json.RawMessage
	// IfRevision is the revision that must be stored; nil for any.
	IfRevision *int64
	// Key seals.
	Key *seal.PublicKey
}

// AsJSON returns what a person gave as a value as JSON: text for a string, unless they say
// that it is JSON already.
func AsJSON(t *typedvalue.Type, value seal.Value, isJSON bool) []byte {
	if t == nil || t.Kind() == "Str" && !isJSON {
		return typedvalue.AppendQuoted(nil, string(value.Reveal()))
	}
	return value.Reveal()
}

// Set stores a value in s, and makes an AgentSecret if that is nil. It reports whether it
// did.
func (a *Agents) Set(ctx context.Context, s *v1alpha1.AgentSecret, w Write) (stored *v1alpha1.AgentSecret, created bool, err error) {
	if s == nil {
		stored, err = a.create(ctx, w)
		return stored, true, err
	}
	t, err := Type(s)
	if err != nil {
		return nil, false, err
	}
	if w.Type != nil && !sameType(w.Type, t) {
		return nil, false, cli.Refused("--type: it is %s and cannot change. To have another one, delete it first: kubectl latchkey agent delete %s -n %s", notation.Print(t), PathText(s.Spec.Path), s.Namespace)
	}
	target, err := sealer.Agent(s.Namespace, s.Name, s.Spec.Path, true, t)
	if err != nil {
		return nil, false, err
	}
	text, err := sealFor(target, w)
	if err != nil {
		return nil, false, cli.Refused("%w. See its type: kubectl latchkey agent get %s -n %s", err, PathText(s.Spec.Path), s.Namespace)
	}
	stored, err = a.patch(ctx, s, w.IfRevision, text)
	return stored, false, err
}

func sameType(a, b *typedvalue.Type) bool {
	x, xErr := a.MarshalStored()
	y, yErr := b.MarshalStored()
	return xErr == nil && yErr == nil && string(x) == string(y)
}

func sealFor(target sealer.Target, w Write) (string, error) {
	value, err := target.Check(w.Value)
	switch {
	case err != nil && strings.HasPrefix(err.Error(), "value"):
		return "", cli.Refused("%w", err) // it names the field itself
	case err != nil:
		return "", cli.Refused("value: %w", err)
	}
	return target.Seal(w.Key, value)
}

func (a *Agents) create(ctx context.Context, w Write) (*v1alpha1.AgentSecret, error) {
	if w.IfRevision != nil {
		return nil, cli.Refused("--if-revision: there is no agent secret %s, and so none of revision %d. Try: kubectl latchkey agent list -n %s", w.Path, *w.IfRevision, a.namespace)
	}
	if w.Type == nil {
		return nil, cli.Refused("there is no agent secret %s in namespace %s yet: give its type. Try: kubectl latchkey agent set %[1]s --type string -n %[2]s", w.Path, a.namespace)
	}
	path, err := ParsePath(w.Path)
	if err != nil {
		return nil, cli.Refused("PATH: %w", err)
	}
	if w.Name == "" {
		w.Name = naming.Digest(strings.Join(path, ".")) // as the REST API names it
	}
	target, err := sealer.Agent(a.namespace, w.Name, path, true, w.Type)
	if err != nil {
		return nil, cli.Refused("%w", err)
	}
	text, err := sealFor(target, w)
	if err != nil {
		return nil, err
	}
	secretType, err := w.Type.MarshalStored()
	if err != nil {
		return nil, err
	}
	s := &v1alpha1.AgentSecret{
		// The path is canonical already, which admission takes from the annotation.
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "AgentSecret"},
		ObjectMeta: metav1.ObjectMeta{Name: w.Name, Namespace: a.namespace, Annotations: map[string]string{v1alpha1.AnnotationCanonicalPath: "true"}},
		Spec:       v1alpha1.AgentSecretSpec{Path: path, SecretType: runtime.RawExtension{Raw: secretType}, SealedValue: text},
	}
	if a.SendNothing {
		return s, nil
	}
	stored, err := a.cluster.CreateAgent(ctx, s, a.DryRun)
	return stored.Agent, err
}

// Unset takes the value away.
func (a *Agents) Unset(ctx context.Context, s *v1alpha1.AgentSecret, ifRevision *int64) (*v1alpha1.AgentSecret, error) {
	return a.patch(ctx, s, ifRevision, nil)
}

// patch stores a sealed value, or nil for none. With a revision, the object must be the
// one that was read, and have that revision.
func (a *Agents) patch(ctx context.Context, s *v1alpha1.AgentSecret, ifRevision *int64, sealed any) (*v1alpha1.AgentSecret, error) {
	if a.SendNothing {
		would := s.DeepCopy()
		would.Spec.SealedValue, _ = sealed.(string)
		return would, onlyIf(s, s, ifRevision)
	}
	spec := map[string]any{"sealedValue": sealed}
	var stored cluster.Item
	err := a.guarded(ctx, s, ifRevision, func(at cluster.Item, asRead bool) (err error) {
		if asRead {
			stored, err = a.cluster.PatchRead(ctx, at, spec, a.DryRun)
		} else {
			stored, err = a.cluster.Patch(ctx, at, spec, a.DryRun)
		}
		return err
	})
	return stored.Agent, err
}

// guarded writes to the object that was read. With a revision, what is written to must
// have it: a conflict is read again, since a write of the status is none of the value.
func (a *Agents) guarded(ctx context.Context, s *v1alpha1.AgentSecret, ifRevision *int64, write func(at cluster.Item, asRead bool) error) error {
	if ifRevision == nil {
		return write(cluster.Item{Agent: s}, false)
	}
	at := cluster.Item{Agent: s}
	for {
		if err := onlyIf(s, at.Agent, ifRevision); err != nil {
			return err
		}
		err := write(at, true)
		if !apierrors.IsConflict(err) {
			return err
		}
		if at, err = a.cluster.Get(ctx, at); err != nil {
			return err
		}
	}
}

// onlyIf refuses where what is there now is not s, or does not have the revision.
func onlyIf(s, now *v1alpha1.AgentSecret, revision *int64) error {
	if revision != nil && (now.Spec.Revision != *revision || now.UID != s.UID) {
		return cli.Refused("%w. Try: kubectl latchkey agent get %s -n %s", &OtherRevision{Is: now.Spec.Revision, Want: *revision}, PathText(s.Spec.Path), s.Namespace)
	}
	return nil
}

// OtherRevision refuses a write to what somebody else wrote meanwhile.
type OtherRevision struct{ Is, Want int64 }

// Error says so to who gave the option.
func (e *OtherRevision) Error() string {
	return fmt.Sprintf("--if-revision: the revision is %d, not %d, so somebody wrote since", e.Is, e.Want)
}

// Delete deletes an AgentSecret.
func (a *Agents) Delete(ctx context.Context, s *v1alpha1.AgentSecret, ifRevision *int64) error {
	if a.SendNothing {
		return onlyIf(s, s, ifRevision)
	}
	return a.guarded(ctx, s, ifRevision, func(at cluster.Item, asRead bool) error {
		if asRead {
			return a.cluster.DeleteRead(ctx, at, a.DryRun)
		}
		return a.cluster.Delete(ctx, at, a.DryRun)
	})
}
