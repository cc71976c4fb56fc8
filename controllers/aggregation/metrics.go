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

var altered = prometheus.NewGaugeVec(prometheus.GaugeOpts{
	Name: "latchkey_registration_altered",
	Help: "1 for a webhook configuration or APIService that was altered so often that it is left as it is, otherwise 0.",
}, []string{"kind", "name"})

func init() { metrics.Registry.MustRegister(unregistered, altered) }
