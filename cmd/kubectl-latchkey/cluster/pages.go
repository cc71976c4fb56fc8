// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

// pageSize is how many objects come with one request.
const pageSize = 500

// paged reads a list page by page, and says how far it is where there are several. read
// reads one page, keeps it, and returns how many objects it has and where the next begins.
func (c *Cluster) paged(what string, options metav1.ListOptions, read func(metav1.ListOptions) (n int, next string, err error)) error {
	options.Limit = pageSize
	say, end := func(string) {}, func() {}
	for all := 0; ; {
		n, next, err := read(options)
		if err != nil {
			end()
			return Explain(err)
		}
		if next == "" {
			end()
			return nil
		}
		if all == 0 && c.Progress != nil {
			progress := c.Progress("reading " + what)
			say, end = progress.Text, progress.End
		}
		all += n
		say(fmt.Sprintf("%d so far", all))
		options.Continue = next
	}
}

// Pods returns the pods of a namespace.
func (c *Cluster) Pods(ctx context.Context, namespace string) (pods []corev1.Pod, err error) {
	err = c.paged("pods", metav1.ListOptions{}, func(options metav1.ListOptions) (int, string, error) {
		page, err := c.Core.Pods(namespace).List(ctx, options)
		if err != nil {
			return 0, "", err
		}
		pods = append(pods, page.Items...)
		return len(page.Items), page.Continue, nil
	})
	return pods, err
}

// WatchPods tells of changes of the pods of a namespace, as Watch does.
func (c *Cluster) WatchPods(ctx context.Context, namespace string) (watch.Interface, error) {
	w, err := c.Core.Pods(namespace).Watch(ctx, metav1.ListOptions{})
	return w, Explain(err)
}
