// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

const (
	root      = "../.."
	chartPath = root + "/charts/latchkey"
	namespace = "latchkey-system"
)

// tool returns the path of a program that the tests need: what the environment says,
// else where make builds it.
func tool(t *testing.T, variable, built string) string {
	t.Helper()
	path := cmp.Or(os.Getenv(variable), filepath.Join(root, built))
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: run hack/verify/chart.sh, which builds it, or set %s", err, variable)
	}
	return path
}

func helmPath(t *testing.T) string    { t.Helper(); return tool(t, "HELM", "bin/tools/helm") }
func kubectlPath(t *testing.T) string { t.Helper(); return tool(t, "KUBECTL", "bin/k8s/kubectl") }

// objects are what was rendered, by kind, namespace and name.
type objects map[string]*unstructured.Unstructured

func keyOf(o *unstructured.Unstructured) string {
	return strings.Trim(o.GetKind()+" "+o.GetNamespace()+"/"+o.GetName(), "/")
}

func parse(t *testing.T, stream []byte) objects {
	t.Helper()
	out := objects{}
	for _, document := range documents(stream) {
		o := &unstructured.Unstructured{}
		if err := yaml.UnmarshalStrict(document, &o.Object); err != nil {
			t.Fatalf("%v in:\n%s", err, document)
		}
		if len(o.Object) == 0 {
			continue // comments
		}
		if out[keyOf(o)] != nil {
			t.Errorf("%s is there twice", keyOf(o))
		}
		out[keyOf(o)] = o
	}
	return out
}

func helm(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	return helmWith(t, "", args...)
}

// helmWith runs Helm with folders of its own.
func helmWith(t *testing.T, stdin string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), helmPath(t), args...)
	home := t.TempDir()
	cmd.Env = append(os.Environ(), "HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home)
	var out, problem bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &problem
	err = cmd.Run()
	return out.String(), problem.String(), err
}

// kubectlWith runs kubectl with what stdin says, and returns all that it prints.
func kubectlWith(t *testing.T, kubeconfig, stdin string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), kubectlPath(t), append([]string{"--kubeconfig", kubeconfig}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// template renders the chart. Values are a YAML document.
func template(t *testing.T, values string, more ...string) (objects, string) {
	t.Helper()
	args := append([]string{"template", "latchkey", chartPath, "--namespace", namespace}, more...)
	out, problem, err := helmWith(t, values, append(args, "--values", "-")...)
	if err != nil {
		return nil, problem
	}
	return parse(t, []byte(out)), ""
}

// rendered is template for values that are right.
func rendered(t *testing.T, values string, more ...string) objects {
	t.Helper()
	out, problem := template(t, values, more...)
	if problem != "" {
		t.Fatal(problem)
	}
	return out
}

// get returns an object that has to be there.
func (o objects) get(t *testing.T, key string) *unstructured.Unstructured {
	t.Helper()
	if o[key] == nil {
		t.Fatalf("%s is not there", key)
	}
	return o[key]
}

// field returns what is at a path of an object; nil where there is nothing.
func field(o *unstructured.Unstructured, path ...any) any {
	var current any = o.Object
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, _ := current.(map[string]any)
			current = m[step]
		case int:
			l, _ := current.([]any)
			if step >= len(l) {
				return nil
			}
			current = l[step]
		}
	}
	return current
}
