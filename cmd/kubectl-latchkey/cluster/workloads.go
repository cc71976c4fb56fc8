// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/metadata"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
)

// Restarting returns the workloads of a namespace that ask to be restarted when secrets
// change, as kubectl rollout takes them.
func (c *Cluster) Restarting(ctx context.Context, namespace string) ([]string, error) {
	client, err := metadata.NewForConfig(c.Config)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, w := range []struct{ resource, short string }{{"deployments", "deploy/"}, {"statefulsets", "sts/"}, {"daemonsets", "ds/"}} {
		found, err := client.Resource(schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: w.resource}).Namespace(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return nil, Explain(err)
		}
		for i := range found.Items {
			if found.Items[i].Annotations[v1alpha1.AnnotationRestart] == "true" {
				all = append(all, w.short+found.Items[i].Name)
			}
		}
	}
	slices.Sort(all)
	return all, nil
}
