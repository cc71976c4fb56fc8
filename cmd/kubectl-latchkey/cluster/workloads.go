// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
)

// Workloads returns the workloads of a namespace, as kubectl rollout takes them, and
// whether they ask to be restarted when secrets change.
func (c *Cluster) Workloads(ctx context.Context, namespace string) (map[string]bool, error) {
	asks := map[string]bool{}
	for _, w := range []struct{ resource, short string }{{"deployments", "deploy/"}, {"statefulsets", "sts/"}, {"daemonsets", "ds/"}} {
		err := c.paged(w.resource, metav1.ListOptions{}, func(options metav1.ListOptions) (int, string, error) {
			page, err := c.Metadata.Resource(schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: w.resource}).Namespace(namespace).List(ctx, options)
			if err != nil {
				return 0, "", err
			}
			for i := range page.Items {
				asks[w.short+page.Items[i].Name] = page.Items[i].Annotations[v1alpha1.AnnotationRestart] == "true"
			}
			return len(page.Items), page.Continue, nil
		})
		if err != nil {
			return nil, err
		}
	}
	return asks, nil
}
