// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package aggregation

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

var unregistered = prometheus.NewGaugeVec(prometheus.GaugeOpts{
	Name: "latchkey_apiservice_unregistered",
	Help: "1 for an aggregated API that was unregistered because no server is ready, otherwise 0.",
}, []string{"apiservice"})

func init() { metrics.Registry.MustRegister(unregistered) }
