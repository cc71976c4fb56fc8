// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"encoding/json"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// patch is a change of annotations.
type patch struct {
	workload, template map[string]string
}

// noted records a digest without a restart.
func noted(hash string) patch {
	return patch{workload: map[string]string{AnnotationContentHash: hash}}
}

// rolled changes the pod template and records that.
func rolled(hash string, at time.Time) patch {
	return patch{
		workload: map[string]string{AnnotationContentHash: hash, AnnotationRolledAt: at.UTC().Format(time.RFC3339)},
		template: map[string]string{AnnotationContentHash: hash},
	}
}

// on returns the merge patch for the object as it was read. The API server refuses it
// if the object has changed since.
func (p patch) on(obj client.Object) ([]byte, error) {
	change := map[string]any{"metadata": map[string]any{
		"resourceVersion": obj.GetResourceVersion(),
		"annotations":     p.workload,
	}}
	if p.template != nil {
		change["spec"] = map[string]any{"template": map[string]any{"metadata": map[string]any{"annotations": p.template}}}
	}
	return json.Marshal(change)
}
