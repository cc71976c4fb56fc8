// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package supervise

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// Step runs f and prints its name with what f says became of it: "etcd ready (0.4s)".
func Step(ctx context.Context, name string, f func(context.Context) (string, error)) error {
	start := time.Now()
	outcome, err := f(ctx)
	took := time.Since(start).Seconds()
	if err != nil {
		fmt.Printf("%s FAILED (%.1fs)\n", name, took)
		return fmt.Errorf("%s: %w", name, err)
	}
	fmt.Printf("%s %s (%.1fs)\n", name, outcome, took)
	return nil
}

// Explain prints an error of the program and, where a process failed, the end of its log.
func Explain(out io.Writer, program string, err error) {
	_, _ = fmt.Fprintf(out, "%s: %v\n", program, err)
	var failed *Failure
	if !errors.As(err, &failed) {
		return
	}
	content, readErr := os.ReadFile(failed.Log)
	if readErr != nil {
		_, _ = fmt.Fprintf(out, "%s: no log: %v\n", program, readErr)
		return
	}
	const most = 20
	lines := bytes.Split(bytes.TrimSpace(content), []byte("\n"))
	_, _ = fmt.Fprintf(out, "%s: the end of %s:\n  %s\n", program, failed.Log,
		bytes.Join(lines[max(0, len(lines)-most):], []byte("\n  ")))
}
