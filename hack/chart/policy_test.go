// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// TestPodsAreHardened asks of every pod of the chart, whatever the values, what neither
// kube-score nor Pod Security does, or only with the default values.
func TestPodsAreHardened(t *testing.T) {
	for name, values := range map[string]string{"by default": "", "with everything": everything} {
		t.Run(name, func(t *testing.T) {
			pods := 0
			all := rendered(t, values)
			for key, o := range all {
				if field(o, "spec", "template", "spec") == nil {
					continue
				}
				pods++
				all.get(t, "ServiceAccount "+namespace+"/"+o.GetName())
				for _, problem := range lacks(o) {
					t.Errorf("%s: %s", key, problem)
				}
			}
			if pods != 3 {
				t.Errorf("there are %d kinds of pods, want controller, server and uninstall", pods)
			}
		})
	}
}

// lacks returns what a pod template is short of.
func lacks(o *unstructured.Unstructured) []string {
	var out []string
	expect := func(what string, want any, path ...any) {
		path = append([]any{"spec", "template", "spec"}, path...)
		if got := field(o, path...); fmt.Sprint(got) != fmt.Sprint(want) {
			out = append(out, fmt.Sprintf("%s is %v, want %v", what, got, want))
		}
	}
	expect("the user", 65532, "securityContext", "runAsUser")
	expect("the group", 65532, "securityContext", "runAsGroup")
	expect("the seccomp profile", "RuntimeDefault", "securityContext", "seccompProfile", "type")
	expect("the service account", o.GetName(), "serviceAccountName")
	containers, _ := field(o, "spec", "template", "spec", "containers").([]any)
	if len(containers) != 1 || field(o, "spec", "template", "spec", "initContainers") != nil {
		out = append(out, fmt.Sprintf("there are %d containers, want one", len(containers)))
	}
	expect("runAsNonRoot", true, "containers", 0, "securityContext", "runAsNonRoot")
	expect("privileged", false, "containers", 0, "securityContext", "privileged")
	expect("what is dropped", []any{"ALL"}, "containers", 0, "securityContext", "capabilities", "drop")
	volumes, _ := field(o, "spec", "template", "spec", "volumes").([]any)
	for i := range volumes {
		folder, public := field(o, "spec", "template", "spec", "volumes", i, "emptyDir", "sizeLimit"), field(o, "spec", "template", "spec", "volumes", i, "configMap")
		if folder == nil && public == nil {
			out = append(out, "a volume is something else than a small folder of the pod's own, or a ConfigMap")
		}
	}
	var opened []any
	ports, _ := field(o, "spec", "template", "spec", "containers", 0, "ports").([]any)
	for i := range ports {
		opened = append(opened, field(o, "spec", "template", "spec", "containers", 0, "ports", i, "name"))
	}
	for _, probe := range []string{"livenessProbe", "readinessProbe", "startupProbe"} {
		if port := field(o, "spec", "template", "spec", "containers", 0, probe, "httpGet", "port"); port != nil && !slices.Contains(opened, port) {
			out = append(out, fmt.Sprintf("the %s asks port %v, which is not opened", probe, port))
		}
	}
	env, _ := field(o, "spec", "template", "spec", "containers", 0, "env").([]any)
	for i := range env {
		if field(o, "spec", "template", "spec", "containers", 0, "env", i, "valueFrom", "secretKeyRef") != nil {
			out = append(out, "a variable holds a secret")
		}
	}
	return out
}

// TestEverythingFindsItsPods: each selector of a Service, a budget and a policy is
// that of the pods that it is for.
func TestEverythingFindsItsPods(t *testing.T) {
	got := rendered(t, "")
	for key, o := range got {
		var selector any
		switch o.GetKind() {
		case "Service":
			selector = field(o, "spec", "selector")
		case "PodDisruptionBudget":
			selector = field(o, "spec", "selector", "matchLabels")
			if field(o, "spec", "unhealthyPodEvictionPolicy") == nil {
				t.Errorf("%s does not say what becomes of pods that are not ready when a node is drained", key)
			}
		case "NetworkPolicy":
			selector = field(o, "spec", "podSelector", "matchLabels")
		default:
			continue
		}
		found := 0
		for _, pod := range got {
			labels, _ := field(pod, "spec", "template", "metadata", "labels").(map[string]any)
			wanted, _ := selector.(map[string]any)
			matches := len(wanted) > 0 && labels != nil
			for name, value := range wanted {
				matches = matches && labels[name] == value
			}
			if matches {
				found++
			}
		}
		if found != 1 {
			t.Errorf("%s selects %d kinds of pods, want one", key, found)
		}
	}
}

// TestOnlyAServiceAccountOfTheChartIsGivenItsRoles: nobody else gets a right, but for
// API access and the public keys, which are for every authenticated caller.
func TestOnlyAServiceAccountOfTheChartIsGivenItsRoles(t *testing.T) {
	everybody := map[string]bool{"latchkey-api-access": true, "latchkey-public-keys": true}
	for key, o := range rendered(t, "tenantNamespaces: [alice]") {
		if !strings.HasSuffix(o.GetKind(), "RoleBinding") {
			continue
		}
		subjects, _ := field(o, "subjects").([]any)
		for i := range subjects {
			kind, name := field(o, "subjects", i, "kind"), fmt.Sprint(field(o, "subjects", i, "name"))
			switch {
			case everybody[o.GetName()] && kind == "Group" && name == "system:authenticated":
			case kind == "ServiceAccount" && strings.HasPrefix(o.GetName(), name) && field(o, "subjects", i, "namespace") == namespace:
			default:
				t.Errorf("%s is given to %v %s", key, kind, name)
			}
		}
	}
}
