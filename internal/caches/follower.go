// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package caches

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
	"k8s.io/utils/ptr"
)

const (
	firstPause   = 50 * time.Millisecond
	longestPause = 800 * time.Millisecond
)

// follower is what an informer lists and watches with. To the informer, a watch never
// ends. When it ends, the follower starts another one at the same place. If the API
// server no longer knows that place, as after a restart, it sends all objects, and the
// follower passes the difference to the informer. The library does the same, but waits
// up to a minute in between, longer each time. The informer calls the follower from one
// goroutine.
type follower struct {
	inner   toolscache.ListerWatcherWithContext
	example runtime.Object
	report  func(up bool)
	up      bool // of Watches
	// known are the resourceVersions of the objects that the informer knows, by key;
	// last is the version up to which it is informed.
	known map[string]string
	last  string
}

// list reads, and learns what the informer knows then.
func (f *follower) list(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
	f.report(false)
	list, err := f.read(ctx, o)
	if err != nil {
		return nil, err
	}
	if o.Continue == "" {
		f.known = map[string]string{}
	}
	return list, meta.EachListItem(list, func(o runtime.Object) error {
		f.learn(o)
		return nil
	})
}

// watch starts a watch that continues until the informer stops it.
func (f *follower) watch(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
	f.report(false)
	s := &stream{follower: f, options: o, out: make(chan watch.Event), done: make(chan struct{})}
	f.last, s.initial = o.ResourceVersion, ptr.Deref(o.SendInitialEvents, false)
	if s.initial {
		f.known = map[string]string{}
	}
	s.ctx, s.cancel = context.WithCancel(ctx)
	inner, err := f.begin(s.ctx, o)
	if err != nil {
		s.cancel()
		return nil, err
	}
	go s.run(inner)
	return s, nil
}

// read lists, and repeats that until the API server answers.
func (f *follower) read(ctx context.Context, o metav1.ListOptions) (list runtime.Object, err error) {
	err = f.persist(ctx, func() (err error) {
		list, err = f.inner.ListWithContext(ctx, o)
		return err
	})
	return list, err
}

func (f *follower) begin(ctx context.Context, o metav1.ListOptions) (inner watch.Interface, err error) {
	err = f.persist(ctx, func() (err error) {
		inner, err = f.inner.WatchWithContext(ctx, o)
		return err
	})
	return inner, err
}

// persist tries until the API server answers, or returns an error that will not pass.
func (f *follower) persist(ctx context.Context, try func() error) error {
	pauses := wait.Backoff{Duration: firstPause, Factor: 2, Jitter: 0.25, Steps: 100, Cap: longestPause}
	for first := true; ; first = false {
		err := try()
		if err == nil || ctx.Err() != nil || decisive(err) {
			return err
		}
		if first {
			klog.FromContext(ctx).Info("The API server cannot be watched, trying again", "kind", kindOf(f.example), "reason", apierrors.ReasonForError(err))
		}
		timer := time.NewTimer(pauses.Step())
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
	}
}

// decisive reports whether the API server will give the same answer again. A restarted
// one refuses for all kinds of reasons while it loads what it stored, including its
// access rules.
func decisive(err error) bool {
	return forgotten(err) || apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) || apierrors.IsMethodNotSupported(err) ||
		apierrors.IsNotAcceptable(err) || apierrors.HasStatusCause(err, metav1.CauseTypeResourceVersionTooLarge)
}

// forgotten reports whether the API server no longer knows a resourceVersion.
func forgotten(err error) bool { return apierrors.IsResourceExpired(err) || apierrors.IsGone(err) }

// learn records that the informer knows an object.
func (f *follower) learn(obj runtime.Object) {
	if key, err := toolscache.MetaNamespaceKeyFunc(obj); err == nil {
		f.known[key] = versionOf(obj)
	}
}
