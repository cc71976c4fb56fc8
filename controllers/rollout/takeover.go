// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"context"
	"fmt"
	"sync"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// takeOver is the state of TakeOver.
type takeOver struct {
	mu   sync.Mutex
	done bool
}

// TakeOver records, once, the content of the bundles when this process begins to lead.
// It must be called before this process writes any bundle. While no replica leads, no
// bundle is written. So the bundles still have the content that the pods of workloads
// created in that time were started with. A moment later they may have new content, and
// the change would be missed.
func (r *Reconciler) TakeOver(ctx context.Context) error {
	r.takeOver.mu.Lock()
	defer r.takeOver.mu.Unlock()
	if r.takeOver.done {
		return nil
	}
	found := map[Workload]note{}
	for _, kind := range kinds {
		list := metaList(kind)
		if err := r.Workloads.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
			return fmt.Errorf("list metadata of %ss: %w", kind, err)
		}
		for i := range list.Items {
			m := &list.Items[i]
			w := workload(kind, m)
			if !wantsRestarts(m) || m.Annotations[AnnotationContentHash] != "" {
				continue
			}
			hash, err := r.contentHash(ctx, w.Namespace)
			if err != nil {
				return err
			}
			found[w] = note{uid: m.UID, hash: hash}
		}
	}
	r.memory.first, r.takeOver.done = found, true
	return nil
}
