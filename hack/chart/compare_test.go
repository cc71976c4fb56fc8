// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// ofHelm are the labels and annotations that a chart has and a manifest does not.
var ofHelm = []string{
	"app.kubernetes.io/instance", "app.kubernetes.io/managed-by", "app.kubernetes.io/version", "helm.sh/chart", "helm.sh/resource-policy",
}

// TestTheChartIsTheManifests compares what is rendered with config/, which is the one
// source: nothing but Helm's own labels may differ.
func TestTheChartIsTheManifests(t *testing.T) {
	for values, folders := range map[string][]string{
		"": {"default"},
		"monitoring: {serviceMonitor: {enabled: true}, prometheusRule: {enabled: true}, dashboard: {enabled: true}}": {"default", "monitoring"},
	} {
		t.Run("with "+strings.Join(folders, " and "), func(t *testing.T) {
			want, got := map[string]any{}, map[string]any{}
			for _, folder := range folders {
				manifests, err := kustomize(t.Context(), root, kubectlPath(t), folder)
				if err != nil {
					t.Fatal(err)
				}
				for key, o := range parse(t, bytes.Join(manifests, []byte("---\n"))) {
					want[key] = plain(o)
				}
			}
			delete(want, "Namespace /"+namespace) // who installs makes it
			for key, o := range rendered(t, values) {
				if o.GetAnnotations()["helm.sh/hook"] == "" { // what runs when the chart goes is not in config/
					got[key] = plain(o)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("objects (-config +chart):\n%s", diff)
			}
		})
	}
}

// plain returns an object without what is Helm's.
func plain(o *unstructured.Unstructured) map[string]any {
	o = o.DeepCopy()
	labels, annotations := o.GetLabels(), o.GetAnnotations()
	for _, name := range ofHelm {
		delete(labels, name)
		delete(annotations, name)
	}
	o.SetLabels(labels)
	o.SetAnnotations(annotations)
	return o.Object
}

func TestGeneratedFilesAreUpToDate(t *testing.T) {
	files, err := generate(t.Context(), root, kubectlPath(t))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(root, name))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is out of date: run make generate (%v)", name, err)
		}
	}
	present, err := filepath.Glob(chartPath + "/files/crds/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range present {
		if name, _ := filepath.Rel(root, path); files[name] == nil {
			t.Errorf("%s is not generated any more: delete it", name)
		}
	}
}

// TestMakeImageMakesTheImageThatIsInstalled: what `make image` builds is what the chart
// asks for, so that a node with it imported needs no settings.
func TestMakeImageMakesTheImageThatIsInstalled(t *testing.T) {
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	image := field(rendered(t, "").get(t, "Deployment latchkey-system/latchkey-server"), "spec", "template", "spec", "containers", 0, "image")
	if want := fmt.Sprintf("\nIMAGE ?= %s\n", image); !strings.Contains(string(makefile), want) {
		t.Errorf("the Makefile does not have %q", want)
	}
}
