// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package supervise

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// explainLines is how much of a log is printed with a failure.
const explainLines = 20

// Report prints one line for each step, with the time that it took.
type Report struct {
	Out io.Writer
	Now func() time.Time
}

// Step runs f and prints its name with what f says became of it: "etcd ready (0.4s)".
func (r Report) Step(ctx context.Context, name string, f func(context.Context) (string, error)) error {
	start := r.Now()
	outcome, err := f(ctx)
	took := r.Now().Sub(start).Seconds()
	if err != nil {
		r.Linef("%s FAILED (%.1fs)", name, took)
		return fmt.Errorf("%s: %w", name, err)
	}
	r.Linef("%s %s (%.1fs)", name, outcome, took)
	return nil
}

// Linef prints one line.
func (r Report) Linef(format string, args ...any) {
	_, _ = fmt.Fprintf(r.Out, format+"\n", args...)
}

// Explain prints an error of the program and, where a process failed, the end of its log.
func Explain(out io.Writer, program string, err error) {
	linef := func(format string, args ...any) { _, _ = fmt.Fprintf(out, format+"\n", args...) }
	linef("%s: %v", program, err)
	var failed *Failure
	if !errors.As(err, &failed) {
		return
	}
	lines, readErr := LastLines(failed.Log, explainLines)
	if readErr != nil {
		linef("%s: no log: %v", program, readErr)
		return
	}
	linef("%s: the end of %s:", program, failed.Log)
	for _, line := range lines {
		linef("  %s", line)
	}
}
