// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/spf13/pflag"
)

// Options are the settings of the server.
type Options struct {
	// BindAddress is where to listen, as host:port.
	BindAddress string
	// AuditLog is where audit records go.
	AuditLog AuditLog
	// MaxRequestsInFlight and MaxMutatingRequestsInFlight are how many reads and how
	// many writes are served at once; 0 means no limit.
	MaxRequestsInFlight, MaxMutatingRequestsInFlight int
	// MaxRequestsPerCaller is how many of them may belong to one caller; more wait. 0
	// means no limit.
	MaxRequestsPerCaller int
	// RequestTimeout is how long a request may take. Its body must arrive in half of
	// that, or faster if it is small.
	RequestTimeout time.Duration
	// ShutdownDelay is how long requests are still accepted after the server was told
	// to stop and is no longer ready: the time that load balancers need to notice.
	ShutdownDelay time.Duration
}

// NewOptions returns the defaults.
func NewOptions() Options {
	return Options{
		BindAddress:                 ":8443",
		AuditLog:                    AuditLog{Path: "-", MaxAge: 30, MaxBackups: 10, MaxSize: 100},
		MaxRequestsInFlight:         400,
		MaxMutatingRequestsInFlight: 200,
		MaxRequestsPerCaller:        16,
		RequestTimeout:              60 * time.Second,
		ShutdownDelay:               5 * time.Second,
	}
}

// AddFlags adds a flag for every option. The current values of o are the defaults.
func (o *Options) AddFlags(fs *pflag.FlagSet) {
	fs.StringVar(&o.BindAddress, "secure-bind-address", o.BindAddress, "Address of the REST APIs.")
	fs.StringVar(&o.AuditLog.Path, "audit-log-path", o.AuditLog.Path, "File for the audit records of the REST APIs, - for standard output. If it is empty there are none.")
	fs.IntVar(&o.AuditLog.MaxAge, "audit-log-maxage", o.AuditLog.MaxAge, "Days to keep old audit log files, or 0 for no limit.")
	fs.IntVar(&o.AuditLog.MaxBackups, "audit-log-maxbackup", o.AuditLog.MaxBackups, "Number of old audit log files to keep, or 0 for no limit.")
	fs.IntVar(&o.AuditLog.MaxSize, "audit-log-maxsize", o.AuditLog.MaxSize, "Megabytes after which the audit log file is rotated, or 0 for never.")
	fs.IntVar(&o.MaxRequestsInFlight, "max-requests-in-flight", o.MaxRequestsInFlight, "REST requests that read and are served at once, or 0 for no limit.")
	fs.IntVar(&o.MaxMutatingRequestsInFlight, "max-mutating-requests-in-flight", o.MaxMutatingRequestsInFlight, "REST requests that write and are served at once, or 0 for no limit.")
	fs.IntVar(&o.MaxRequestsPerCaller, "max-requests-per-caller", o.MaxRequestsPerCaller, "REST requests of one caller that are served at once, of reads and of writes, or 0 for no limit. Others of theirs wait, sixteen times as many at most. The service accounts of a namespace are one caller.")
	fs.DurationVar(&o.RequestTimeout, "request-timeout", o.RequestTimeout, "How long a REST request may take. Its body has to arrive in half of that, and faster if it is small.")
	fs.DurationVar(&o.ShutdownDelay, "shutdown-delay", o.ShutdownDelay, "How long REST requests are still accepted after readiness ended.")
}

// Validate returns all problems of o.
func (o *Options) Validate() error {
	var errs []error
	if _, port, err := net.SplitHostPort(o.BindAddress); err != nil {
		errs = append(errs, fmt.Errorf("--secure-bind-address must be an address such as :8443, not %q", o.BindAddress))
	} else if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		errs = append(errs, fmt.Errorf("--secure-bind-address must have a port between 1 and 65535, not %q", port))
	}
	for _, f := range []struct {
		flag  string
		value int
	}{
		{"audit-log-maxage", o.AuditLog.MaxAge},
		{"audit-log-maxbackup", o.AuditLog.MaxBackups},
		{"audit-log-maxsize", o.AuditLog.MaxSize},
		{"max-requests-in-flight", o.MaxRequestsInFlight},
		{"max-mutating-requests-in-flight", o.MaxMutatingRequestsInFlight},
		{"max-requests-per-caller", o.MaxRequestsPerCaller},
	} {
		if f.value < 0 {
			errs = append(errs, fmt.Errorf("--%s must not be negative, but is %d", f.flag, f.value))
		}
	}
	if o.RequestTimeout < 2*headroom {
		errs = append(errs, fmt.Errorf("--request-timeout must be at least %s, not %s", 2*headroom, o.RequestTimeout))
	}
	if o.ShutdownDelay < 0 {
		errs = append(errs, fmt.Errorf("--shutdown-delay must not be negative, but is %s", o.ShutdownDelay))
	}
	return errors.Join(errs...)
}
