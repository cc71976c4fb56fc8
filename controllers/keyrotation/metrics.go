// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package keyrotation

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

// unknownKey is the label of objects whose key does not exist.
const unknownKey = "unknown"

// perKey is a gauge of objects per sealing key.
type perKey struct{ vec *prometheus.GaugeVec }

func (p perKey) set(counts map[string]int) {
	p.vec.Reset()
	for id, n := range counts {
		p.vec.WithLabelValues(id).Set(float64(n))
	}
}

var (
	objectsPerKey = perKey{prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "latchkey_sealed_objects",
		Help: "Objects whose value is sealed with a key, by key id; unknown if the key does not exist.",
	}, []string{"key_id"})}
	rotationDue = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "latchkey_sealing_key_rotation_timestamp_seconds",
		Help: "When the newest sealing key gets a successor, in seconds since 1970; 0 if it gets none, or not from this process.",
	})
	resealErrors = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "latchkey_reseal_errors_total",
		Help: "Objects that could not be sealed again with the newest key.",
	})
)

func init() { metrics.Registry.MustRegister(objectsPerKey.vec, rotationDue, resealErrors) }
