// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package caches

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
)

// TestInsist_KindIsMissing_IsListedAsSoonAsItIsThere lets listing fail six times. The library
// would wait for 20 seconds and more.
func TestInsist_KindIsMissing_IsListedAsSoonAsItIsThere(t *testing.T) {
	for name, options := range map[string]cache.Options{
		"what the controller reads":                       Controller(nil, nil),
		"a cache of which nobody asks whether it is live": (*Watches)(nil).follow("", cache.Options{}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var tries atomic.Int32
			lw := &toolscache.ListWatch{
				ListWithContextFunc: func(context.Context, metav1.ListOptions) (runtime.Object, error) {
					if tries.Add(1) <= 6 {
						return nil, apierrors.NewNotFound(schema.GroupResource{Group: "latchkey.dev", Resource: "usersecrets"}, "")
					}
					return &corev1.ConfigMapList{ListMeta: metav1.ListMeta{ResourceVersion: "1"}}, nil
				},
				WatchFuncWithContext: func(_ context.Context, o metav1.ListOptions) (watch.Interface, error) {
					if o.SendInitialEvents != nil {
						return nil, apierrors.NewInvalid(schema.GroupKind{}, "", nil) // no watch lists
					}
					return watch.NewFake(), nil
				},
			}
			informer := options.NewInformer(lw, &corev1.ConfigMap{}, 0, toolscache.Indexers{})
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			go informer.RunWithContext(ctx)
			if !toolscache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
				t.Errorf("not listed after 10 seconds and %d tries", tries.Load())
			}
		})
	}
}
