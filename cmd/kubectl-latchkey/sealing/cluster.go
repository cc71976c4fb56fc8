// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package sealing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
	"github.com/latchkey-dev/latchkey/internal/binding"
	"github.com/latchkey-dev/latchkey/internal/manifest"
	"github.com/latchkey-dev/latchkey/internal/sealer"
)

// Cluster asks a cluster, with the caller's rights.
type Cluster struct {
	client   dynamic.Interface
	warnings *warnings
}

// NewCluster returns a Cluster.
func NewCluster(config *rest.Config) (*Cluster, error) {
	w := &warnings{}
	config = rest.CopyConfig(config)
	config.WarningHandler, config.WarningHandlerWithContext = w, nil
	client, err := dynamic.NewForConfig(config)
	return &Cluster{client: client, warnings: w}, err
}

// warnings keeps what the API server warns of.
type warnings struct {
	mu   sync.Mutex
	said []string
}

// HandleWarningHeader implements rest.WarningHandler.
func (w *warnings) HandleWarningHeader(_ int, _, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said = append(w.said, text)
}

func (w *warnings) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	said := w.said
	w.said = nil
	return said
}

// Keys returns the keys that are published in Latchkey's namespace.
func (c *Cluster) Keys(ctx context.Context, namespace string) (sealer.Keys, error) {
	published, err := c.client.Resource(corev1.SchemeGroupVersion.WithResource("configmaps")).Namespace(namespace).
		Get(ctx, cluster.PublicKeysName, metav1.GetOptions{})
	if err != nil {
		return sealer.Keys{}, err
	}
	data, _, err := unstructured.NestedStringMap(published.Object, "data")
	if err != nil {
		return sealer.Keys{}, sealer.ErrKeys
	}
	return sealer.KeysOf(data)
}

// resources are the two kinds'.
var resources = map[string]string{manifest.KindUser: "usersecrets", manifest.KindAgent: "agentsecrets"}

// apply applies an object as a dry run, and returns what would be stored.
func (c *Cluster) apply(ctx context.Context, manager, kind, namespace string, metadata, spec map[string]any) (*unstructured.Unstructured, error) {
	u := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": v1alpha1.GroupVersion.String(), "kind": kind, "metadata": metadata, "spec": spec,
	}}
	return c.client.Resource(v1alpha1.GroupVersion.WithResource(resources[kind])).Namespace(namespace).
		Apply(ctx, u.GetName(), u, metav1.ApplyOptions{FieldManager: manager, Force: true, DryRun: []string{metav1.DryRunAll}})
}

// errForUID says why a text that is bound to a UID is left alone.
var errForUID = errors.New("it was sealed for the UID of its namespace: seal the value again for that UID")

// Again returns the sealed value of an object as the cluster would store it: with the
// newest key. Admission opens and seals it, nobody else can. The request has what the
// value is sealed for and no more, so that what other objects claim is not in its way.
func (c *Cluster) Again(ctx context.Context, namespace string, o *manifest.Object) (string, error) {
	all, metadata, err := written(namespace, o)
	if err != nil {
		return "", err
	}
	spec := map[string]any{"sealedValue": o.SealedValue}
	for _, field := range []string{"name", "path", "secretType"} {
		if value, has := all[field]; has {
			spec[field] = value
		}
	}
	c.warnings.take()
	answer, err := c.apply(ctx, cluster.FieldManager, o.Kind, namespace, metadata, spec)
	if err != nil {
		return "", err
	}
	if slices.Contains(c.warnings.take(), binding.WarningOlderForUID) {
		return "", errForUID
	}
	text, _, err := unstructured.NestedString(answer.Object, "spec", "sealedValue")
	if err != nil || text == "" {
		return "", fmt.Errorf("the cluster's answer has no sealedValue")
	}
	return text, nil
}

// Validate returns nil where the cluster would take an object as it is written, with
// sealed for its value, "" for none in plain: what is sent may be in an audit log.
func (c *Cluster) Validate(ctx context.Context, namespace string, o *manifest.Object, sealed string) error {
	_, err := c.DryRun(ctx, cluster.FieldManager, namespace, o, sealed)
	return err
}

// DryRun returns an object as the cluster would store it if manager applied it as it is
// written, with sealed for its value, "" for none in plain.
func (c *Cluster) DryRun(ctx context.Context, manager, namespace string, o *manifest.Object, sealed string) (*unstructured.Unstructured, error) {
	spec, metadata, err := written(namespace, o)
	if err != nil {
		return nil, err
	}
	delete(spec, "value")
	if sealed != "" {
		spec["sealedValue"] = sealed
	}
	return c.apply(ctx, manager, o.Kind, namespace, metadata, spec)
}

// written returns what a manifest says of an object: its spec, and of its metadata what
// Latchkey looks at.
func written(namespace string, o *manifest.Object) (spec, metadata map[string]any, err error) {
	var object struct {
		Metadata struct {
			Annotations map[string]string `json:"annotations"`
		} `json:"metadata"`
		Spec map[string]any `json:"spec"`
	}
	if json.Unmarshal(o.JSON, &object) != nil {
		return nil, nil, errors.New("a field has another type than it should have")
	}
	metadata = map[string]any{"name": o.Name, "namespace": namespace}
	if canonical, has := object.Metadata.Annotations[v1alpha1.AnnotationCanonicalPath]; has {
		metadata["annotations"] = map[string]any{v1alpha1.AnnotationCanonicalPath: canonical}
	}
	return object.Spec, metadata, nil
}
