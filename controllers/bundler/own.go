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

// errBehind reports that the cache does not have this process's last write.
var errBehind = errors.New("the cache has not caught up with a bundle")

// catchUp is how long to wait for the cache. A watch takes milliseconds. If the bundle
// was deleted in the meantime, the version never arrives.
const catchUp = time.Second

// ownWrites remembers the last write of each bundle until the cache has it. Bundles are
// compared with the cache, so without it a reconcile could compare an older version and
// find nothing to do. Its zero value is ready to use.
type ownWrites struct {
	mu   sync.Mutex
	last map[[2]string]ownWrite
}

// ownWrite is one write: the version that it created, or the one that it deleted.
type ownWrite struct {
	version string
	deleted bool
	at      time.Time
	// awaited is true if a reconcile found the cache to be behind this write.
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

// behind reports whether to wait for the cache, which shows a bundle as cached.
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

// expected reports whether an event shows a bundle as this process wrote it, or an
// older version. It needs no reconcile then, unless one waits for it.
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

// older reports whether resourceVersion a is lower than b.
func older(a, b string) bool {
	order, err := resourceversion.CompareResourceVersion(a, b)
	return err == nil && order < 0
}
