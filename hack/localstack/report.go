// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"time"
)

// report prints one line for each step, with the time that it took.
type report struct {
	out io.Writer
	now func() time.Time
}

// step runs f and prints its name with what f says became of it: "etcd ready (0.4s)".
func (r report) step(ctx context.Context, name string, f func(context.Context) (string, error)) error {
	start := r.now()
	outcome, err := f(ctx)
	took := r.now().Sub(start).Seconds()
	if err != nil {
		r.linef("%s FAILED (%.1fs)", name, took)
		return fmt.Errorf("%s: %w", name, err)
	}
	r.linef("%s %s (%.1fs)", name, outcome, took)
	return nil
}

func (r report) linef(format string, args ...any) {
	_, _ = fmt.Fprintf(r.out, format+"\n", args...)
}
