// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package sealing

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/manifest"
	"github.com/latchkey-dev/latchkey/internal/binding"
)

// Cluster asks a cluster by dry runs, with the caller's rights.
type Cluster struct{ *cluster.Cluster }

// resources are the two kinds'.
var resources = map[string]string{manifest.KindUser: cluster.UserSecrets, manifest.KindAgent: cluster.AgentSecrets}

// apply applies an object as a dry run, and returns what would be stored.
func (c Cluster) apply(ctx context.Context, manager, namespace string, o *manifest.Object, metadata, spec map[string]any) (cluster.Item, []string, error) {
	return c.Apply(ctx, manager, resources[o.Kind], namespace, o.Name, map[string]any{
		"apiVersion": v1alpha1.GroupVersion.String(), "kind": o.Kind, "metadata": metadata, "spec": spec,
	})
}

// errForUID says why a text that is bound to a UID is left alone.
var errForUID = errors.New("it was sealed for the UID of its namespace: seal the value again for that UID")

// Again returns the sealed value of an object as the cluster would store it: with the
// newest key. Admission opens and seals it, nobody else can. The request has what the
// value is sealed for and no more, so that what other objects claim is not in its way.
func (c Cluster) Again(ctx context.Context, namespace string, o *manifest.Object) (string, error) {
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
	answer, warnings, err := c.apply(ctx, cluster.FieldManager, namespace, o, metadata, spec)
	switch {
	case err != nil:
		return "", err
	case slices.Contains(warnings, binding.WarningOlderForUID):
		return "", errForUID
	case answer.Sealed() == "":
		return "", errors.New("the cluster's answer has no sealedValue")
	}
	return answer.Sealed(), nil
}

// Validate returns nil where the cluster would take an object as it is written, with
// sealed for its value, "" for none in plain: what is sent may be in an audit log.
func (c Cluster) Validate(ctx context.Context, namespace string, o *manifest.Object, sealed string) error {
	_, err := c.DryRun(ctx, cluster.FieldManager, namespace, o, sealed)
	return err
}

// DryRun returns an object as the cluster would store it if manager applied it as it is
// written, with sealed for its value, "" for none in plain.
func (c Cluster) DryRun(ctx context.Context, manager, namespace string, o *manifest.Object, sealed string) (cluster.Item, error) {
	spec, metadata, err := written(namespace, o)
	if err != nil {
		return cluster.Item{}, err
	}
	delete(spec, "value")
	if sealed != "" {
		spec["sealedValue"] = sealed
	}
	answer, _, err := c.apply(ctx, manager, namespace, o, metadata, spec)
	return answer, err
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
