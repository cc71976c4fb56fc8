// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package logging sets up the process's log: structured lines on standard error,
// for Latchkey's own code, controller-runtime and client-go alike.
package logging

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/go-logr/logr"
	"github.com/spf13/pflag"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
)

// maxVerbosity is the highest level that is ever printed. From level 8 on,
// client-go logs the bodies of requests and answers, and those of a Secret are
// plaintext: no flag must be able to switch that on.
const maxVerbosity = 7

// Options are the user's choices.
type Options struct {
	// Verbosity is how much is logged, from 0 (what an operator acts on).
	Verbosity int
	// Format is "text" or "json".
	Format string
}

// AddFlags adds the flags that set o.
func (o *Options) AddFlags(fs *pflag.FlagSet) {
	fs.IntVarP(&o.Verbosity, "v", "v", 0, "How much to log: 0 is what an operator acts on, 4 is for finding faults. Levels above 7 log no more than 7: bodies of requests are never logged, since they can hold secrets.")
	fs.StringVar(&o.Format, "log-format", "text", "Format of the log: text or json.")
}

// Validate returns an error that says which flag to change.
func (o *Options) Validate() error {
	if o.Verbosity < 0 {
		return fmt.Errorf("--v must be 0 or more, not %d", o.Verbosity)
	}
	if o.Format != "text" && o.Format != "json" {
		return fmt.Errorf("--log-format must be text or json")
	}
	return nil
}

// Setup makes every logger of the process write to w.
func (o *Options) Setup(w io.Writer) logr.Logger {
	opts := &slog.HandlerOptions{Level: slog.Level(-min(o.Verbosity, maxVerbosity))}
	var handler slog.Handler = slog.NewTextHandler(w, opts)
	if o.Format == "json" {
		handler = slog.NewJSONHandler(w, opts)
	}
	log := logr.FromSlogHandler(handler)
	ctrl.SetLogger(log)
	klog.SetLogger(log)
	var level klog.Level
	if err := level.Set(fmt.Sprint(min(o.Verbosity, maxVerbosity))); err != nil {
		log.Error(err, "Cannot set the verbosity of client-go's log")
	}
	return log
}
