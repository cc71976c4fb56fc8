// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

// To k8s.io/apiserver, the REST APIs are plain paths, so it does not count their
// requests.
var (
	requestsTotal = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "latchkey_rest_requests_total",
		Help: "REST requests, by API, method and status code.",
	}, []string{"api", "method", "code"})
	durations = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "latchkey_rest_request_duration_seconds",
		Help:    "How long REST requests took, by API and method.",
		Buckets: prometheus.DefBuckets,
	}, []string{"api", "method"})
)

func init() { metrics.Registry.MustRegister(requestsTotal, durations) }

// withMetrics counts the dialects' requests, also those that the authorizer refuses.
func withMetrics(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		api := map[dialect]string{coderDialect: "coder", golemDialect: "golem"}[dialectOf(r.URL.Path)]
		if api == "" {
			handler.ServeHTTP(w, r)
			return
		}
		began, counted, method := time.Now(), &watchedWriter{ResponseWriter: w, status: http.StatusOK}, knownMethod(r.Method)
		defer func() {
			requestsTotal.WithLabelValues(api, method, strconv.Itoa(counted.status)).Inc()
			durations.WithLabelValues(api, method).Observe(time.Since(began).Seconds())
		}()
		handler.ServeHTTP(counted, r)
	})
}

// knownMethod keeps methods that callers invent out of the labels.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete:
		return method
	}
	return "other"
}
