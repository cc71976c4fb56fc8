// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package framework

import (
	"context"
	"fmt"
	"io"
	"net/http"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// Metrics are the metrics of a process, by name.
type Metrics map[string]*dto.MetricFamily

// Metrics asks p for its metrics.
func (p *Process) Metrics(ctx context.Context) (Metrics, error) {
	body, err := get(ctx, "http://"+address(p.metricsPort)+"/metrics")
	if err != nil {
		return nil, err
	}
	defer func() { _ = body.Close() }()
	metrics, err := ParseMetrics(body)
	if err != nil {
		return nil, fmt.Errorf("metrics of %s: %w", p.name, err)
	}
	return metrics, nil
}

// ParseMetrics reads metrics as they are printed.
func ParseMetrics(text io.Reader) (Metrics, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	return parser.TextToMetricFamilies(text)
}

// MetricsText asks p for its metrics as they are printed.
func (p *Process) MetricsText(ctx context.Context) (string, error) {
	body, err := get(ctx, "http://"+address(p.metricsPort)+"/metrics")
	if err != nil {
		return "", err
	}
	defer func() { _ = body.Close() }()
	text, err := io.ReadAll(body)
	return string(text), err
}

// Sum returns the sum of a counter or gauge over all series with the label values, which
// are given in pairs. It returns false if there is no such series.
func (m Metrics) Sum(name string, labels ...string) (float64, bool) {
	var sum float64
	found := false
	for _, metric := range m[name].GetMetric() {
		if !hasLabels(metric, labels) {
			continue
		}
		found = true
		sum += metric.GetCounter().GetValue() + metric.GetGauge().GetValue()
	}
	return sum, found
}

func hasLabels(metric *dto.Metric, labels []string) bool {
	for i := 0; i+1 < len(labels); i += 2 {
		matches := false
		for _, pair := range metric.GetLabel() {
			matches = matches || pair.GetName() == labels[i] && pair.GetValue() == labels[i+1]
		}
		if !matches {
			return false
		}
	}
	return true
}

// get asks for url and returns the body of a 200.
func get(ctx context.Context, url string) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		text, err := io.ReadAll(io.LimitReader(response.Body, 4096))
		_ = response.Body.Close()
		if err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("%s answers %s: %s", url, response.Status, text)
	}
	return response.Body, nil
}
