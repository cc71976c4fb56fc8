// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundler

import (
	"sync"
	"time"

	"k8s.io/client-go/util/workqueue"
)

// maxStale bounds the pauses for a tenant whose objects never match the cache.
const maxStale = time.Minute

// staleness decides when to retry a tenant whose status could not be written because an
// object had changed. Usually the cache catches up within the first pause. If every try
// gets the same answer, for example because of a policy or another webhook, the pauses
// grow. Its zero value is ready to use.
type staleness struct {
	once    sync.Once
	limiter workqueue.TypedRateLimiter[string]
}

func (s *staleness) limits() workqueue.TypedRateLimiter[string] {
	s.once.Do(func() { s.limiter = workqueue.NewTypedItemExponentialFailureRateLimiter[string](soon, maxStale) })
	return s.limiter
}

// next returns the pause after one more consecutive failure.
func (s *staleness) next(namespace string) time.Duration { return s.limits().When(namespace) }

// over ends the series of failures.
func (s *staleness) over(namespace string) { s.limits().Forget(namespace) }
