// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

var expiry = prometheus.NewGauge(prometheus.GaugeOpts{
	Name: "latchkey_certificate_expiry_timestamp_seconds",
	Help: "When the certificate that is served expires, in seconds since 1970; 0 where none is served.",
})

func init() { metrics.Registry.MustRegister(expiry) }
