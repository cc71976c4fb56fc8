// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	dto "github.com/prometheus/client_model/go"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

// counted returns how many requests of each kind were counted so far.
func counted(t *testing.T) map[string]float64 {
	t.Helper()
	families, err := metrics.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, family := range families {
		if family.GetName() != "latchkey_rest_requests_total" && family.GetName() != "latchkey_rest_request_duration_seconds" {
			continue
		}
		for _, series := range family.GetMetric() {
			key := family.GetName()[len("latchkey_rest_"):]
			for _, label := range []string{"api", "method", "code"} {
				key += labelOf(series, label)
			}
			out[key] = series.GetCounter().GetValue() + float64(series.GetHistogram().GetSampleCount())
		}
	}
	return out
}

func labelOf(series *dto.Metric, name string) string {
	for _, label := range series.GetLabel() {
		if label.GetName() == name {
			return " " + label.GetValue()
		}
	}
	return ""
}

func TestRequestsAreCounted(t *testing.T) {
	handler := newSetup(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case "GET":
			_, _ = w.Write([]byte("fine"))
		case "DELETE":
			panic("a fault")
		default:
			w.WriteHeader(http.StatusTeapot)
		}
	})).server(t).Handler()
	for name, tc := range map[string]struct {
		method, target, token string
		want                  map[string]float64
	}{
		"one that says nothing of its status":      {"GET", "/api/v2/users/me/secrets", "good", map[string]float64{"requests_total coder GET 200": 1, "request_duration_seconds coder GET": 1}},
		"one below /apis":                          {"POST", GolemAggregated + "envs/x/agent-secrets", "good", map[string]float64{"requests_total golem POST 418": 1, "request_duration_seconds golem POST": 1}},
		"one that is refused unauthenticated":      {"GET", "/v1/envs/x/agent-secrets", "bad", map[string]float64{"requests_total golem GET 401": 1, "request_duration_seconds golem GET": 1}},
		"one that fails":                           {"DELETE", "/api/v2/users/me/secrets/a", "good", map[string]float64{"requests_total coder DELETE 500": 1, "request_duration_seconds coder DELETE": 1}},
		"one by a method that somebody made up":    {"MARKER", "/api/v2/users/me/secrets", "good", map[string]float64{"requests_total coder other 418": 1, "request_duration_seconds coder other": 1}},
		"one that is no secret's is of no account": {"GET", "/apis", "good", map[string]float64{}},
	} {
		t.Run(name, func(t *testing.T) {
			before := counted(t)
			do(t, handler, tc.method, tc.target, tc.token)
			got := map[string]float64{}
			for key, n := range counted(t) {
				if n != before[key] {
					got[key] = n - before[key]
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("counted (-want +got):\n%s", diff)
			}
		})
	}
}
