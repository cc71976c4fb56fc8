// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package watch tells what a cache has of the objects of one kind. It owns no state.
package watch

import (
	"context"
	"fmt"

	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Objects calls seen with every object of prototype's kind that c has, when it is new and
// when it has changed, and gone, unless that is nil, with the last state of one that was
// deleted. It may be called before c is started, and does not wait for it. A cache of
// several namespaces calls concurrently.
func Objects[T client.Object](ctx context.Context, c cache.Cache, prototype T, seen, gone func(T)) error {
	informer, err := c.GetInformer(ctx, prototype, cache.BlockUntilSynced(false))
	if err != nil {
		return fmt.Errorf("watch %T: %w", prototype, err)
	}
	_, err = informer.AddEventHandler(handler(seen, gone))
	return err
}

func handler[T client.Object](seen, gone func(T)) toolscache.ResourceEventHandler {
	tell := func(listener func(T), obj any) {
		if last, ok := obj.(toolscache.DeletedFinalStateUnknown); ok {
			obj = last.Obj
		}
		if o, ok := obj.(T); ok && listener != nil {
			listener(o)
		}
	}
	return toolscache.ResourceEventHandlerFuncs{
		AddFunc: func(obj any) { tell(seen, obj) },
		UpdateFunc: func(before, after any) {
			was, ok := before.(client.Object)
			is, both := after.(client.Object)
			if ok && both && was.GetResourceVersion() != "" && was.GetResourceVersion() == is.GetResourceVersion() {
				return // a resync
			}
			tell(seen, after)
		},
		DeleteFunc: func(obj any) { tell(gone, obj) },
	}
}
