// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package agents is what the commands below agent do: it reads and writes AgentSecrets
// with the caller's rights. It seals values before they leave, and sees one in plain only
// where the agent-secrets API gives it to the caller.
package agents

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
	"github.com/latchkey-dev/latchkey/internal/naming"
	"github.com/latchkey-dev/latchkey/internal/seal"
	"github.com/latchkey-dev/latchkey/internal/sealer"
	"github.com/latchkey-dev/latchkey/internal/typedvalue"
	"github.com/latchkey-dev/latchkey/internal/typedvalue/agentpath"
)

var resource = v1alpha1.GroupVersion.WithResource("agentsecrets")

// Agents are the AgentSecrets of a namespace.
type Agents struct {
	client    dynamic.Interface
	rest      rest.Interface
	namespace string
	// DryRun has the cluster store nothing; with SendNothing it is not even asked.
	DryRun, SendNothing bool
}

// New returns the AgentSecrets of a namespace.
func New(config *rest.Config, namespace string) (*Agents, error) {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	raw, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, err
	}
	return &Agents{client: client, rest: raw.RESTClient(), namespace: namespace}, nil
}

// ParsePath reads a path whose segments are separated by slashes.
func ParsePath(text string) ([]string, error) {
	path, err := agentpath.Canonical(strings.Split(strings.Trim(text, "/"), "/"))
	if err != nil {
		return nil, fmt.Errorf("path %q: %w", text, err)
	}
	return path, nil
}

// PathText returns a path as ParsePath reads it.
func PathText(path []string) string { return strings.Join(path, "/") }

// List returns the AgentSecrets in the order of their paths.
func (a *Agents) List(ctx context.Context, options metav1.ListOptions) ([]v1alpha1.AgentSecret, error) {
	list, err := a.client.Resource(resource).Namespace(a.namespace).List(ctx, options)
	if err != nil {
		return nil, err
	}
	all := make([]v1alpha1.AgentSecret, len(list.Items))
	for i := range list.Items {
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(list.Items[i].Object, &all[i]); err != nil {
			return nil, fmt.Errorf("AgentSecret %s cannot be read", list.Items[i].GetName())
		}
	}
	slices.SortFunc(all, func(x, y v1alpha1.AgentSecret) int { return slices.Compare(x.Spec.Path, y.Spec.Path) })
	return all, nil
}

// Get returns the AgentSecret at a path, as people write it or as it is stored, or of
// that name; nil for none.
func (a *Agents) Get(ctx context.Context, text string) (*v1alpha1.AgentSecret, error) {
	all, err := a.List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	// As it is stored first: to bring a canonical path into canonical form can change it.
	stored := strings.Split(strings.Trim(text, "/"), "/")
	path, pathErr := ParsePath(text)
	for _, is := range []func(v1alpha1.AgentSecret) bool{
		func(s v1alpha1.AgentSecret) bool { return slices.Equal(s.Spec.Path, stored) },
		func(s v1alpha1.AgentSecret) bool { return pathErr == nil && slices.Equal(s.Spec.Path, path) },
		func(s v1alpha1.AgentSecret) bool { return s.Name == text },
	} {
		if i := slices.IndexFunc(all, is); i >= 0 {
			return &all[i], nil
		}
	}
	return nil, nil
}

// Named returns the AgentSecret of a metadata.name.
func (a *Agents) Named(ctx context.Context, name string) (*v1alpha1.AgentSecret, error) {
	return typed(a.client.Resource(resource).Namespace(a.namespace).Get(ctx, name, metav1.GetOptions{}))
}

// TypeText returns the type of an AgentSecret for people.
func TypeText(s *v1alpha1.AgentSecret) string {
	if t, err := Type(s); err == nil {
		if text, err := t.Notation(); err == nil {
			return text
		}
	}
	return "?"
}

// Type returns the type of an AgentSecret.
func Type(s *v1alpha1.AgentSecret) (*typedvalue.Type, error) {
	return typedvalue.ParseStoredType(s.Spec.SecretType.Raw)
}

// ErrNoValue says that there is no value to reveal.
var ErrNoValue = errors.New("it has no value")

// Reveal returns the value of an AgentSecret, as the agent-secrets API gives it to who
// may get agentsecrets/value.
func (a *Agents) Reveal(ctx context.Context, s *v1alpha1.AgentSecret) (seal.Value, error) {
	if s.Spec.SealedValue == "" {
		return seal.Value{}, ErrNoValue
	}
	raw, err := a.rest.Get().AbsPath("/apis/golem.latchkey.dev/v1/agent-secrets", string(s.UID)).Do(cluster.Unlogged(ctx)).Raw()
	if apierrors.IsNotFound(err) && bytes.Contains(raw, []byte("AGENT_SECRET_NOT_FOUND")) {
		return seal.Value{}, cli.Refused("the agent-secrets API shows the values of environments, and namespace %s is none: it has no label %s", a.namespace, v1alpha1.LabelEnvironment)
	}
	if apierrors.IsNotFound(err) || apierrors.IsServiceUnavailable(err) {
		return seal.Value{}, errors.New("the cluster does not serve the agent-secrets API: check kubectl get apiservice v1.golem.latchkey.dev")
	}
	if err != nil {
		return seal.Value{}, fmt.Errorf("ask the agent-secrets API: %w", err)
	}
	var answer struct {
		SecretValue json.RawMessage `json:"secretValue"`
	}
	if json.Unmarshal(raw, &answer) != nil {
		return seal.Value{}, errors.New("the agent-secrets API gave no answer that can be read")
	}
	if len(answer.SecretValue) == 0 || string(answer.SecretValue) == "null" {
		t, err := Type(s)
		if err != nil || t.Kind() != "Option" {
			return seal.Value{}, cli.Refused("you may not get agentsecrets.latchkey.dev/value in namespace %[1]s. Try: kubectl latchkey can-i reveal -n %[1]s", a.namespace)
		}
	}
	return seal.NewValue(answer.SecretValue), nil
}

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
		now, _ := t.Notation()
		return nil, false, cli.Refused("its type is %s and cannot change: delete it first", now)
	}
	target, err := sealer.Agent(s.Namespace, s.Name, s.Spec.Path, true, t)
	if err != nil {
		return nil, false, err
	}
	text, err := sealFor(target, w)
	if err != nil {
		return nil, false, err
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
	if err != nil {
		return "", cli.Refused("%w", err)
	}
	return target.Seal(w.Key, value)
}

func (a *Agents) create(ctx context.Context, w Write) (*v1alpha1.AgentSecret, error) {
	if w.IfRevision != nil {
		return nil, cli.Refused("there is no AgentSecret at %s, and so none of revision %d", w.Path, *w.IfRevision)
	}
	if w.Type == nil {
		return nil, cli.Refused("there is no AgentSecret at %s: give its type, such as --type string", w.Path)
	}
	path, err := ParsePath(w.Path)
	if err != nil {
		return nil, cli.Refused("%w", err)
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
		TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "AgentSecret"},
		// The path is canonical already, which admission takes from the annotation.
		ObjectMeta: metav1.ObjectMeta{Name: w.Name, Namespace: a.namespace, Annotations: map[string]string{v1alpha1.AnnotationCanonicalPath: "true"}},
		Spec:       v1alpha1.AgentSecretSpec{Path: path, SecretType: runtime.RawExtension{Raw: secretType}, SealedValue: text},
	}
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(s)
	if err != nil {
		return nil, errors.New("the AgentSecret cannot be written")
	}
	delete(object, "status")
	if a.SendNothing {
		return s, nil
	}
	stored, err := a.client.Resource(resource).Namespace(a.namespace).
		Create(ctx, &unstructured.Unstructured{Object: object}, metav1.CreateOptions{FieldManager: cluster.FieldManager, DryRun: a.dryRun()})
	return typed(stored, err)
}

// Unset takes the value away.
func (a *Agents) Unset(ctx context.Context, s *v1alpha1.AgentSecret, ifRevision *int64) (*v1alpha1.AgentSecret, error) {
	return a.patch(ctx, s, ifRevision, nil)
}

// patch stores a sealed value, or nil for none. With a revision, the object must be the
// one that was read, and have that revision.
func (a *Agents) patch(ctx context.Context, s *v1alpha1.AgentSecret, ifRevision *int64, sealed any) (*v1alpha1.AgentSecret, error) {
	if a.SendNothing {
		return s, onlyIf(s, s, ifRevision)
	}
	var stored *unstructured.Unstructured
	err := a.guarded(ctx, s, ifRevision, func(resourceVersion *string) error {
		metadata := map[string]any{"uid": s.UID}
		if resourceVersion != nil {
			metadata["resourceVersion"] = *resourceVersion
		}
		patch, err := json.Marshal(map[string]any{"metadata": metadata, "spec": map[string]any{"sealedValue": sealed}})
		if err != nil {
			return err
		}
		stored, err = a.client.Resource(resource).Namespace(s.Namespace).
			Patch(ctx, s.Name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: cluster.FieldManager, DryRun: a.dryRun()})
		return err
	})
	return typed(stored, err)
}

// guarded writes to the object that was read. With a revision, what is written to must
// have it: a conflict is read again, since a write of the status is none of the value.
func (a *Agents) guarded(ctx context.Context, s *v1alpha1.AgentSecret, ifRevision *int64, write func(resourceVersion *string) error) error {
	if ifRevision == nil {
		return write(nil)
	}
	at := s
	for {
		if err := onlyIf(s, at, ifRevision); err != nil {
			return err
		}
		err := write(&at.ResourceVersion)
		if !apierrors.IsConflict(err) {
			return err
		}
		if at, err = typed(a.client.Resource(resource).Namespace(s.Namespace).Get(ctx, s.Name, metav1.GetOptions{})); err != nil {
			return err
		}
	}
}

// onlyIf refuses where what is there now is not s, or does not have the revision.
func onlyIf(s, now *v1alpha1.AgentSecret, revision *int64) error {
	if revision != nil && (now.Spec.Revision != *revision || now.UID != s.UID) {
		return cli.Refused("the revision is %d, not %d: read it again", now.Spec.Revision, *revision)
	}
	return nil
}

// Delete deletes an AgentSecret.
func (a *Agents) Delete(ctx context.Context, s *v1alpha1.AgentSecret, ifRevision *int64) error {
	if a.SendNothing {
		return onlyIf(s, s, ifRevision)
	}
	return a.guarded(ctx, s, ifRevision, func(resourceVersion *string) error {
		return a.client.Resource(resource).Namespace(s.Namespace).Delete(ctx, s.Name, metav1.DeleteOptions{
			Preconditions: &metav1.Preconditions{UID: &s.UID, ResourceVersion: resourceVersion}, DryRun: a.dryRun(),
		})
	})
}

func (a *Agents) dryRun() []string {
	if a.DryRun {
		return []string{metav1.DryRunAll}
	}
	return nil
}

func typed(u *unstructured.Unstructured, err error) (*v1alpha1.AgentSecret, error) {
	if err != nil {
		return nil, err
	}
	s := &v1alpha1.AgentSecret{}
	if runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, s) != nil {
		return nil, errors.New("the cluster's answer cannot be read")
	}
	return s, nil
}
