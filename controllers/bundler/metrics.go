// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundler

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

// bundleWrites counts the writes of native Secrets.
var bundleWrites = prometheus.NewCounterVec(prometheus.CounterOpts{
	Name: "latchkey_bundle_writes_total",
	Help: "Writes of native Secrets, by bundle kind and outcome.",
}, []string{"bundle", "outcome"})

// openedValues shows that a reconcile without a change opens nothing.
var openedValues = prometheus.NewCounterVec(prometheus.CounterOpts{
	Name: "latchkey_opened_values_total",
	Help: "Values opened or read to fill a bundle, by bundle kind.",
}, []string{"bundle"})

func init() { metrics.Registry.MustRegister(bundleWrites, openedValues) }

// expect creates the series of a bundle before anything is counted: the first increment
// of a counter that did not exist is not visible in a rate.
func expect(bundle string) {
	for _, outcome := range []string{"ok", "error"} {
		bundleWrites.WithLabelValues(bundle, outcome)
	}
	openedValues.WithLabelValues(bundle)
}

func outcomeLabel(err error) string {
	if err != nil {
		return "error"
	}
	return "ok"
}
