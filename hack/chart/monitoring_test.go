// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
	"sigs.k8s.io/yaml"
)

// expressions returns every query of the alerts and the dashboard, by where it is.
func expressions(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	var rules struct {
		Spec struct {
			Groups []struct {
				Rules []struct {
					Alert, Expr         string
					Labels, Annotations map[string]string
				}
			}
		}
	}
	content, err := os.ReadFile(root + "/config/monitoring/prometheus_rule.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(content, &rules); err != nil {
		t.Fatal(err)
	}
	for _, group := range rules.Spec.Groups {
		for _, rule := range group.Rules {
			out["alert "+rule.Alert] = rule.Expr
			if s := rule.Labels["severity"]; s != "warning" && s != "critical" {
				t.Errorf("alert %s has severity %q", rule.Alert, s)
			}
			if rule.Annotations["summary"] == "" || rule.Annotations["description"] == "" {
				t.Errorf("alert %s does not say what it means", rule.Alert)
			}
		}
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if content, err = os.ReadFile(root + "/config/monitoring/dashboard.json"); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, &dashboard); err != nil {
		t.Fatal(err)
	}
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			out["panel "+panel.Title+": "+target.Expr] = target.Expr
		}
	}
	if len(out) < 20 {
		t.Fatalf("there are only %d queries", len(out))
	}
	return out
}

// ofTheCluster are metrics that neither Latchkey nor its libraries have.
var ofTheCluster = map[string]string{"aggregator_unavailable_apiservice": "kube-apiserver"}

// TestQueriesAreOfMetricsThatExist parses each query as Prometheus does, and looks its
// metrics up on the page that another test holds to what the processes serve.
func TestQueriesAreOfMetricsThatExist(t *testing.T) {
	page, err := os.ReadFile(root + "/docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	suffix := regexp.MustCompile(`_(bucket|sum|count)$`)
	for where, expression := range expressions(t) {
		parsed, err := parser.ParseExpr(strings.ReplaceAll(expression, "$__rate_interval", "5m"))
		if err != nil {
			t.Errorf("%s: %v", where, err)
			continue
		}
		metrics := 0
		parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
			if selector, is := node.(*parser.VectorSelector); is {
				metrics++
				name := suffix.ReplaceAllString(selector.Name, "")
				documented := strings.Contains(string(page), "`"+name+"`") ||
					strings.HasPrefix(name, "process_") && strings.Contains(string(page), "`process_*`")
				if !documented && ofTheCluster[name] == "" {
					t.Errorf("%s: docs/metrics.md does not have %s", where, name)
				}
			}
			return nil
		})
		if metrics == 0 {
			t.Errorf("%s asks for no metric", where)
		}
	}
}
