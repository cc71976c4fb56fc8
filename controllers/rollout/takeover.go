// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"context"
	"fmt"
	"sync"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// takeOver is what a process finds when it begins to lead.
type takeOver struct {
	mu   sync.Mutex
	done bool
}

// TakeOver notes, once, the content that the bundles have when this process begins to
// lead. It has to be done before this process writes any bundle. Nobody writes them while nobody leads, so what they
// hold now is what the pods of workloads that came meanwhile were started with; a
// moment later it may be what changed meanwhile, and the change would be missed.
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
