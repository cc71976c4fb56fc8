// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestWrongValuesAreRefused has what people get wrong. Want is in the message.
func TestWrongValuesAreRefused(t *testing.T) {
	for name, tt := range map[string]struct{ values, want string }{
		"a typo at the top":                      {"imgae: {}", "'imgae' not allowed"},
		"a typo below":                           {"image: {tga: v1}", "'tga' not allowed"},
		"a typo deep below":                      {"server: {podDisruptionBudget: {maxUnavailble: 1}}", "'maxUnavailble' not allowed"},
		"a value of another chart":               {"nameOverride: x", "'nameOverride' not allowed"},
		"a name override, since names are fixed": {"fullnameOverride: x", "'fullnameOverride' not allowed"},
		"a controller's value at the server":     {"server: {workers: 3}", "'workers' not allowed"},
		"a text for a number":                    {"server: {replicas: two}", "/server/replicas"},
		"no replica":                             {"server: {replicas: 0}", "/server/replicas"},
		"half a replica":                         {"controller: {replicas: 1.5}", "/controller/replicas"},
		"a text for a switch":                    {"networkPolicies: {enabled: \"yes\"}", "/networkPolicies/enabled"},
		"a tag in front of the repository":       {"image: {tag: \"repository:v1\"}", "/image/tag"},
		"half a digest":                          {"image: {digest: \"sha256:12\"}", "/image/digest"},
		"an unknown pull policy":                 {"image: {pullPolicy: always}", "/image/pullPolicy"},
		"a pull secret without a name":           {"imagePullSecrets: [registry]", "/imagePullSecrets/0"},
		"a label that belongs to the chart":      {"commonLabels: {app.kubernetes.io/name: mine}", "/commonLabels"},
		"a pod label that selects":               {"server: {podLabels: {app.kubernetes.io/component: mine}}", "/server/podLabels"},
		"a label that is a number":               {"commonLabels: {a: 1}", "/commonLabels/a"},
		"a namespace that is none":               {"tenantNamespaces: [Alice]", "/tenantNamespaces/0"},
		"a namespace twice":                      {"tenantNamespaces: [a, a]", "/tenantNamespaces"},
		"a duration without a unit":              {"controller: {keys: {rotation: \"30\"}}", "/controller/keys/rotation"},
		"a duration in days":                     {"controller: {keys: {retention: 30d}}", "/controller/keys/retention"},
		"a log that shows bodies":                {"log: {verbosity: 8}", "/log/verbosity"},
		"an unknown log format":                  {"log: {format: xml}", "/log/format"},
		"a limit of nothing":                     {"limits: {user: {maxSecrets: 0}}", "/limits/user/maxSecrets"},
		"a value that no field can hold":         {"limits: {agent: {maxValueBytes: 65537}}", "/limits/agent/maxValueBytes"},
		"a privileged port":                      {"server: {ports: {webhook: 443}}", "/server/ports/webhook"},
		"a resource that there is not":           {"server: {resources: {limits: {mem: 1Gi}}}", "'mem' not allowed"},
		"a resource that is no quantity":         {"server: {resources: {limits: {memory: 1GB}}}", "/server/resources/limits/memory"},
		"an argument that is no flag":            {"server: {extraArgs: [v=4]}", "/server/extraArgs/0"},
		"the address of the pod, which is ours":  {"server: {extraEnv: [{name: POD_IP, value: x}]}", "/server/extraEnv/0/name"},
		"a disruption budget that stops drains":  {"server: {podDisruptionBudget: {maxUnavailable: 0}}", "/server/podDisruptionBudget/maxUnavailable"},
		"a priority that only the cluster has":   {"priorityClass: {value: 2000000000}", "/priorityClass/value"},
		"a policy without ports":                 {"networkPolicies: {apiServerPorts: []}", "/networkPolicies/apiServerPorts"},
		"an unknown failure policy":              {"webhooks: {pods: {failurePolicy: Retry}}", "/webhooks/pods/failurePolicy"},
		"a webhook that waits too long":          {"webhooks: {timeoutSeconds: 31}", "/webhooks/timeoutSeconds"},
		"an Ingress without a host":              {"ingress: {enabled: true}", "/ingress/host"},
		"a route without a Gateway":              {"httpRoute: {enabled: true, hostnames: [a.example]}", "/httpRoute/parentRefs"},
		"a pod killed before it can end":         {"server: {shutdown: {preStopSeconds: 31}}", "gracePeriodSeconds must be at least 30 more"},
	} {
		t.Run(name, func(t *testing.T) {
			_, problem := template(t, tt.values)
			if !strings.Contains(problem, tt.want) {
				t.Errorf("it says %q, want %q in it", problem, tt.want)
			}
		})
	}
}

func TestRightValuesAreTaken(t *testing.T) {
	for name, values := range map[string]string{
		"a subchart's global values": "global: {imageRegistry: x}",
		"no limits at all":           "server: {rest: {maxRequestsInFlight: 0, maxMutatingRequestsInFlight: 0}}",
		"keys for ever":              "controller: {keys: {rotation: 0s, retention: 0s}}",
		"a percentage":               "server: {podDisruptionBudget: {maxUnavailable: 50%}}",
		"a registry with a port":     "image: {repository: registry.example:5000/mirror/latchkey}",
		"everything":                 everything,
	} {
		t.Run(name, func(t *testing.T) {
			if _, problem := template(t, values); problem != "" {
				t.Error(problem)
			}
		})
	}
}

// TestTheSchemaKnowsEveryValue holds schema and values together, both ways.
func TestTheSchemaKnowsEveryValue(t *testing.T) {
	content, err := os.ReadFile(chartPath + "/values.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema map[string]any
	if err := json.Unmarshal(content, &schema); err != nil {
		t.Fatal(err)
	}
	if content, err = os.ReadFile(chartPath + "/values.yaml"); err != nil {
		t.Fatal(err)
	}
	var values map[string]any
	if err := yaml.Unmarshal(content, &values); err != nil {
		t.Fatal(err)
	}
	definitions, _ := schema["$defs"].(map[string]any)
	var walk func(path string, schema map[string]any, value any)
	walk = func(path string, schema map[string]any, value any) {
		if ref, is := schema["$ref"].(string); is {
			schema, _ = definitions[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)
		}
		properties, is := schema["properties"].(map[string]any)
		if !is {
			return
		}
		if schema["additionalProperties"] != false {
			t.Errorf("%s takes names that it does not know", path)
		}
		set, _ := value.(map[string]any)
		for name, property := range properties {
			at := path + "." + name
			if _, has := set[name]; !has && !slices.Contains(leftOut, at) && !isOneValue(path) && !strings.HasSuffix(path, ".affinity") {
				if !strings.Contains(path, ".resources") {
					t.Errorf("values.yaml does not have %s", at)
				}
			}
			next, _ := property.(map[string]any)
			walk(at, next, set[name])
		}
	}
	walk("", schema, values)
}

// leftOut are the values that are not the chart's own.
var leftOut = []string{".global"}
