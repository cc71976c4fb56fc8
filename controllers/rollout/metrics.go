// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

var (
	restarts = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "latchkey_workload_restarts_total",
		Help: "Workloads restarted since their secrets changed, by kind and outcome.",
	}, []string{"kind", "outcome"})
	waiting = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "latchkey_workload_restarts_waiting",
		Help: "Workloads whose restart waits for more changes, for the interval since the last restart, or for their turn.",
	})
)

func init() { metrics.Registry.MustRegister(restarts, waiting) }

// expect creates all series before anything is counted: the first increment of a
// counter that did not exist is not visible in a rate.
func expect() {
	for _, kind := range kinds {
		for _, outcome := range []string{"ok", "error"} {
			restarts.WithLabelValues(kind, outcome)
		}
	}
}
