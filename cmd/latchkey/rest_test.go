// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

func TestTheLeaseIsKeptAsLongAsRequestsAreAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		served, ended := make(chan struct{}), make(chan error, 1)
		go func() {
			ended <- outlive(ctx, served, func(ctx context.Context) error {
				<-ctx.Done()
				return errors.New("given up")
			})
		}()
		cancel() // told to stop
		synctest.Wait()
		select {
		case <-ended:
			t.Fatal("the Lease was given up while requests were answered")
		default:
		}
		close(served)
		synctest.Wait()
		select {
		case err := <-ended:
			if err == nil || err.Error() != "given up" {
				t.Errorf("it ended with %v", err)
			}
		default:
			t.Error("the Lease is kept though nothing is answered any more")
		}
	})
}
