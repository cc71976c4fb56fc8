// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundler

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/bundle"
)

// strip takes out of a bundle what others have put in: a key would be a variable or
// a file in every pod of the tenant. Applying does not do that, since it leaves alone
// what another field manager owns. Applied is the bundle as the API server answered;
// hardly ever is anything to be done. It reports whether there was.
func (r *Reconciler) strip(ctx context.Context, applied *corev1ac.SecretApplyConfiguration, c bundle.Contents) (bool, error) {
	data, annotations := map[string]any{}, map[string]any{}
	for key := range applied.Data {
		if _, ours := c.Data[key]; !ours {
			data[key] = nil
		}
	}
	if _, has := applied.Annotations[v1alpha1.AnnotationLayout]; has && len(c.Paths) == 0 {
		annotations[v1alpha1.AnnotationLayout] = nil
	}
	if len(data) == 0 && len(annotations) == 0 {
		return false, nil
	}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"resourceVersion": applied.ResourceVersion, "annotations": annotations},
		"data":     data,
	})
	if err != nil {
		return false, fmt.Errorf("encode patch: %w", err)
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: *applied.Namespace, Name: *applied.Name}}
	if err := r.Client.Patch(ctx, secret, client.RawPatch(types.MergePatchType, patch), FieldOwner); err != nil {
		return true, err
	}
	for key := range data {
		if _, again := secret.Data[key]; again {
			return true, errChanged
		}
	}
	return true, nil
}
