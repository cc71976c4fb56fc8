// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package supervise

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestStepSaysHowLongItTook(t *testing.T) {
	clock := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	var out bytes.Buffer
	r := Report{Out: &out, Now: func() time.Time { clock = clock.Add(400 * time.Millisecond); return clock }}
	if err := r.Step(t.Context(), "etcd", func(context.Context) (string, error) { return "ready", nil }); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	err := r.Step(t.Context(), "etcd", func(context.Context) (string, error) { return "", broken })
	if !errors.Is(err, broken) {
		t.Errorf("error %v, want %v", err, broken)
	}
	if diff := cmp.Diff("etcd ready (0.4s)\netcd FAILED (0.4s)\n", out.String()); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

func TestEventually(t *testing.T) {
	t.Run("it tries until it succeeds", func(t *testing.T) {
		tries := 0
		if err := Eventually(t.Context(), time.Minute, func(context.Context) error {
			if tries++; tries < 3 {
				return errors.New("not yet")
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	})
	t.Run("when the time is over it says why", func(t *testing.T) {
		err := Eventually(t.Context(), time.Millisecond, func(context.Context) error { return errors.New("no caBundle") })
		if err == nil || !strings.Contains(err.Error(), "no caBundle") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("a permanent error ends it at once", func(t *testing.T) {
		ended := errors.New("ended")
		if err := Eventually(t.Context(), time.Minute, func(context.Context) error { return Permanent(ended) }); !errors.Is(err, ended) {
			t.Errorf("error %v, want %v", err, ended)
		}
	})
	t.Run("an interrupt ends it at once", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		err := Eventually(ctx, time.Minute, func(context.Context) error {
			cancel()
			return errors.New("not yet")
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want %v", err, context.Canceled)
		}
	})
}
