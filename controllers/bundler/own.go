// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundler

import (
	"errors"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/resourceversion"
)

// errBehind says that the cache does not have what this process has written.
var errBehind = errors.New("the cache has not caught up with a bundle")

// catchUp is for how long the cache is waited for. A watch takes milliseconds; if somebody
// else has deleted the bundle since, its version never comes.
const catchUp = time.Second

// ownWrites remembers the last write of each bundle until the cache has it. A bundle is
// judged by the cache, so a reconcile that came before it would judge an earlier one, and
// could find that to be right. Its zero value is ready.
type ownWrites struct {
	mu   sync.Mutex
	last map[[2]string]ownWrite
}

// ownWrite is one write: the version that it made, or the one that it deleted.
type ownWrite struct {
	version string
	deleted bool
	at      time.Time
	// awaited: somebody found the cache to be behind it.
	awaited bool
}

func (o *ownWrites) note(namespace, name string, w ownWrite) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.last == nil {
		o.last = map[[2]string]ownWrite{}
	}
	o.last[[2]string{namespace, name}] = w
}

// behind reports whether the cache, which has a bundle as cached, is to be waited for.
func (o *ownWrites) behind(namespace, name string, cached *corev1.Secret, now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	key := [2]string{namespace, name}
	w, ok := o.last[key]
	if !ok {
		return false
	}
	has := cached != nil && !older(cached.ResourceVersion, w.version)
	if w.deleted {
		has = cached == nil || older(w.version, cached.ResourceVersion)
	}
	if has || now.Sub(w.at) > catchUp {
		delete(o.last, key)
		return false
	}
	w.awaited = true
	o.last[key] = w
	return true
}

// expected reports whether an event shows a bundle as this process wrote it, or as it was
// before that: there is nothing to do then, unless a reconcile waits for it.
func (o *ownWrites) expected(namespace, name, version string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	key := [2]string{namespace, name}
	w, ok := o.last[key]
	if !ok || w.deleted {
		return false
	}
	if version == w.version {
		delete(o.last, key) // the cache has it
		return !w.awaited
	}
	return older(version, w.version)
}

// older reports whether a resourceVersion is below another.
func older(a, b string) bool {
	order, err := resourceversion.CompareResourceVersion(a, b)
	return err == nil && order < 0
}
