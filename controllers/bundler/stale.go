// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundler

import (
	"sync"
	"time"

	"k8s.io/client-go/util/workqueue"
)

// maxStale bounds the pauses between looks at a tenant whose objects are never as the
// cache shows them.
const maxStale = time.Minute

// staleness says when to look again at a tenant whose status could not be written since
// an object had changed. Usually the cache catches up within the first pause. Where the
// answer is the same each time, as a policy or another webhook can make it, the pauses
// grow. Its zero value is ready.
type staleness struct {
	once    sync.Once
	limiter workqueue.TypedRateLimiter[string]
}

func (s *staleness) limits() workqueue.TypedRateLimiter[string] {
	s.once.Do(func() { s.limiter = workqueue.NewTypedItemExponentialFailureRateLimiter[string](soon, maxStale) })
	return s.limiter
}

// next returns the pause after one more failure in a row.
func (s *staleness) next(namespace string) time.Duration { return s.limits().When(namespace) }

// over ends the row.
func (s *staleness) over(namespace string) { s.limits().Forget(namespace) }
