// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"regexp"

	"sigs.k8s.io/yaml"
)

// Parts of a summary that Prometheus fills in.
var (
	labelOf = regexp.MustCompile(`\{\{ \$labels\.(\w+) \}\}`)
	valueOf = regexp.MustCompile(`\{\{ \$value \}\}`)
)

// alertsTable returns a Markdown table of a PrometheusRule: each alert with its severity
// and its summary.
func alertsTable(rule []byte) ([]byte, error) {
	var parsed struct {
		Spec struct {
			Groups []struct {
				Rules []struct {
					Alert       string
					Labels      struct{ Severity string }
					Annotations struct{ Summary string }
				}
			}
		}
	}
	if err := yaml.Unmarshal(rule, &parsed); err != nil {
		return nil, fmt.Errorf("alerts: %w", err)
	}
	var out bytes.Buffer
	out.WriteString("| alert | severity | means |\n| --- | --- | --- |\n")
	for _, group := range parsed.Spec.Groups {
		for _, alert := range group.Rules {
			if alert.Alert == "" || alert.Labels.Severity == "" || alert.Annotations.Summary == "" {
				return nil, fmt.Errorf("alert %q lacks its name, severity or summary", alert.Alert)
			}
			summary := valueOf.ReplaceAllString(labelOf.ReplaceAllString(alert.Annotations.Summary, "*$1*"), "*n*")
			fmt.Fprintf(&out, "| `%s` | %s | %s |\n", alert.Alert, alert.Labels.Severity, summary)
		}
	}
	return out.Bytes(), nil
}
