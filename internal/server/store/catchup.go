// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/policy"
)

// CatchUp waits until the cache has all that the API server had when it was called.
func (c *core) CatchUp(ctx context.Context) error {
	for namespace := range c.trackers {
		if err := c.catchUp(ctx, namespace); err != nil {
			return err
		}
	}
	return nil
}

// pageSize bounds how many objects are in memory to be compared with the cache.
const pageSize = 500

// catchUp compares one watch with a list. A watch has caught up when it has seen the
// newest object of the list, and has no older object that is not in the list. The
// version of the list itself cannot be used: a watch does not see changes of other
// kinds, so it may never reach that version.
func (c *core) catchUp(ctx context.Context, namespace string) error {
	there := map[types.UID]bool{}
	var newest, of uint64
	for page := ""; ; {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(c.kind + "List"))
		if err := c.Live.List(ctx, list, client.InNamespace(namespace), client.Limit(pageSize), client.Continue(page)); err != nil {
			return refused("list "+c.kind+"s", err)
		}
		for i := range list.Items {
			there[list.Items[i].UID] = true
			newest = max(newest, parseVersion(list.Items[i].ResourceVersion))
		}
		of = parseVersion(list.ResourceVersion) // the same for all pages
		if page = list.Continue; page == "" {
			break
		}
	}
	var failed error
	err := c.trackers[namespace].until(ctx, func(seen uint64) bool {
		if seen < newest {
			return false
		}
		var cached []policy.Secret
		if cached, failed = c.cached(ctx, namespace); failed != nil {
			return true
		}
		for _, r := range cached {
			if !there[r.UID] && parseVersion(r.ResourceVersion) <= of {
				return false
			}
		}
		return true
	})
	if failed != nil {
		return fmt.Errorf("%w: list %ss: %w", ErrUnavailable, c.kind, failed)
	}
	return err
}
