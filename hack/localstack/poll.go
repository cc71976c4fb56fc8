// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

const pollInterval = 50 * time.Millisecond

// poll calls f until it says done, fails, or ctx ends.
func poll(ctx context.Context, interval time.Duration, f func(context.Context) (done bool, err error)) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		done, err := f(ctx)
		if err != nil || done {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// permanent marks an error that trying again does not mend.
type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// eventually calls f until it returns nil or a permanent error; when the time is over, the last error says why.
func eventually(ctx context.Context, patience time.Duration, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var last error
	err := poll(ctx, pollInterval, func(ctx context.Context) (bool, error) {
		err := f(ctx)
		if err == nil || errors.As(err, &permanent{}) {
			return true, err
		}
		// What fails because the time is over hides the reason.
		if ctx.Err() == nil || last == nil {
			last = err
		}
		return false, nil
	})
	if errors.Is(err, context.DeadlineExceeded) && last != nil {
		return fmt.Errorf("not within %s: %w", patience, last)
	}
	return err
}

// answersOK says whether a GET is answered with 200.
func answersOK(ctx context.Context, client *http.Client, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if _, err := io.Copy(io.Discard, io.LimitReader(response.Body, 1<<20)); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, response.Status)
	}
	return nil
}
