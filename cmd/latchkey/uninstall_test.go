// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	clienttesting "k8s.io/client-go/testing"
)

func clusterObject(apiVersion, kind, name string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{"apiVersion": apiVersion, "kind": kind, "metadata": map[string]any{"name": name}}}
}

func TestDetach(t *testing.T) {
	const registration, admission = "apiregistration.k8s.io/v1", "admissionregistration.k8s.io/v1"
	foreign := []*unstructured.Unstructured{
		clusterObject(registration, "APIService", "v1.apps"),
		clusterObject(admission, "MutatingWebhookConfiguration", "other"),
	}
	own := []*unstructured.Unstructured{
		clusterObject(registration, "APIService", "v2.coder.latchkey.dev"),
		clusterObject(registration, "APIService", "v1.golem.latchkey.dev"),
		clusterObject(admission, "MutatingWebhookConfiguration", "latchkey"),
	}
	unregistered, keys := clusterObject("v1", "ConfigMap", "latchkey-unregistered-apis"), clusterObject("v1", "ConfigMap", "latchkey-public-keys")
	unregistered.SetNamespace("latchkey-system")
	keys.SetNamespace("latchkey-system")
	for name, tt := range map[string]struct {
		present  []*unstructured.Unstructured
		failing  string // the resource that cannot be deleted
		wantLeft []string
		wantErrs []string
	}{
		"everything of ours goes and nothing else": {present: slices.Concat(foreign, own), wantLeft: []string{"other", "v1.apps"}},
		"what is not there is passed over":         {present: slices.Concat(foreign, own[1:2]), wantLeft: []string{"other", "v1.apps"}},
		"a second time there is nothing to do":     {present: foreign, wantLeft: []string{"other", "v1.apps"}},
		"one failure does not keep it from the rest": {
			present: own, failing: "apiservices", wantLeft: []string{"v1.golem.latchkey.dev", "v2.coder.latchkey.dev"},
			wantErrs: []string{"delete apiservices v2.coder.latchkey.dev: no", "delete apiservices v1.golem.latchkey.dev: no"},
		},
		"what was unregistered does not come back": {present: []*unstructured.Unstructured{unregistered, keys}, wantLeft: []string{"latchkey-public-keys"}},
	} {
		t.Run(name, func(t *testing.T) {
			lists := map[schema.GroupVersionResource]string{
				{Version: "v1", Resource: "configmaps"}:                                                           "ConfigMapList",
				{Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"}:                         "APIServiceList",
				{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "mutatingwebhookconfigurations"}: "MutatingWebhookConfigurationList",
			}
			var objects []runtime.Object
			for _, o := range tt.present {
				objects = append(objects, o.DeepCopy())
			}
			c := dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), lists, objects...)
			if tt.failing != "" {
				c.PrependReactor("delete", tt.failing, func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, errors.New("no") })
			}
			err := detach(t.Context(), c, "latchkey-system", logr.Discard())
			if (err != nil) != (len(tt.wantErrs) > 0) {
				t.Errorf("detach = %v", err)
			}
			for _, want := range tt.wantErrs {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("detach = %v, want %q in it", err, want)
				}
			}
			var left []string
			for resource := range lists {
				for _, o := range tt.present {
					if _, err := c.Tracker().Get(resource, o.GetNamespace(), o.GetName()); err == nil {
						left = append(left, o.GetName())
					}
				}
			}
			slices.Sort(left)
			if diff := cmp.Diff(tt.wantLeft, left); diff != "" {
				t.Errorf("left (-want +got):\n%s", diff)
			}
		})
	}
}

func TestUninstallNamesWrongFlags(t *testing.T) {
	for flag, want := range map[string]string{
		"--timeout=0":             "--timeout must be above 0",
		"--v=-1":                  "--v must be 0 or more",
		"--kubeconfig=/none/such": "--kubeconfig",
		"--namespace=a/b":         "--namespace must be the name of a namespace",
		"--workers=1":             "unknown flag",
	} {
		t.Run(flag, func(t *testing.T) {
			cmd := uninstallCommand()
			cmd.SilenceUsage, cmd.SilenceErrors = true, true
			cmd.SetArgs([]string{flag})
			if err := cmd.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("it ends with %v, want %q in it", err, want)
			}
		})
	}
}
