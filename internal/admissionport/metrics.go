// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package admissionport

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

// The reasons for which a request is not passed to a hook.
const (
	reasonPath = "path"
	reasonSize = "size"
	reasonBusy = "busy"
)

var refused = prometheus.NewCounterVec(prometheus.CounterOpts{
	Name: "latchkey_admission_refused_total",
	Help: "Requests at the admission port that no webhook was asked about.",
}, []string{"reason"})

func init() {
	metrics.Registry.MustRegister(refused)
	for _, reason := range []string{reasonPath, reasonSize, reasonBusy} {
		refused.WithLabelValues(reason) // the series exists from the start
	}
}
