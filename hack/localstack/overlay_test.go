// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

func TestOverlayPointsServicesAtLocalPorts(t *testing.T) {
	ports := map[string]int{"latchkey-webhook": 20001, "latchkey-server": 20002}
	externalName := func(port string) string {
		return "- op: replace\n  path: /spec\n  value:\n    externalName: localhost\n    ports:\n" +
			"        - name: https\n          port: " + port + "\n          protocol: TCP\n    type: ExternalName\n"
	}
	for name, test := range map[string]struct {
		base            string
		wantPatches     []patch
		wantWebhooks    []string
		wantDefinitions []string
	}{
		"an object that names no Service of ours stays as it is": {
			base: `{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: latchkey-system}}`,
		},
		"our Services become external names with the port of the load balancer": {
			base: "{apiVersion: v1, kind: Service, metadata: {name: latchkey-webhook, namespace: latchkey-system}}\n---\n" +
				"{apiVersion: v1, kind: Service, metadata: {name: latchkey-server, namespace: latchkey-system}}",
			wantPatches: []patch{
				{patchTarget{Version: "v1", Kind: "Service", Name: "latchkey-webhook", Namespace: "latchkey-system"}, externalName("20001")},
				{patchTarget{Version: "v1", Kind: "Service", Name: "latchkey-server", Namespace: "latchkey-system"}, externalName("20002")},
			},
		},
		"a Service of that name in another namespace stays as it is": {
			base: `{apiVersion: v1, kind: Service, metadata: {name: latchkey-webhook, namespace: other}}`,
		},
		"every webhook that names our Service gets the port, and others do not": {
			base: `
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: latchkey}
webhooks:
- {name: a.latchkey.dev, clientConfig: {service: {name: latchkey-webhook, namespace: latchkey-system, path: /a}}}
- {name: b.latchkey.dev, clientConfig: {url: "https://example.com/"}}
- {name: c.latchkey.dev, clientConfig: {service: {name: latchkey-webhook, namespace: latchkey-system, port: 443}}}
`,
			wantPatches: []patch{{
				patchTarget{Group: "admissionregistration.k8s.io", Version: "v1", Kind: "MutatingWebhookConfiguration", Name: "latchkey"},
				"- op: add\n  path: /webhooks/0/clientConfig/service/port\n  value: 20001\n" +
					"- op: add\n  path: /webhooks/2/clientConfig/service/port\n  value: 20001\n",
			}},
			wantWebhooks: []string{"mutatingwebhookconfiguration/latchkey"},
		},
		"an APIService gets the port of its Service": {
			base: `
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v2.coder.latchkey.dev}
spec: {service: {name: latchkey-server, namespace: latchkey-system}}
`,
			wantPatches: []patch{{
				patchTarget{Group: "apiregistration.k8s.io", Version: "v1", Kind: "APIService", Name: "v2.coder.latchkey.dev"},
				"- op: add\n  path: /spec/service/port\n  value: 20002\n",
			}},
		},
		"a Deployment is taken out, since the stack runs the processes": {
			base: `{apiVersion: apps/v1, kind: Deployment, metadata: {name: latchkey-server, namespace: latchkey-system}}`,
			wantPatches: []patch{{
				patchTarget{Group: "apps", Version: "v1", Kind: "Deployment", Name: "latchkey-server", Namespace: "latchkey-system"},
				"$patch: delete\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: latchkey-server\n",
			}},
		},
		"a definition is waited for": {
			base:            `{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: a.latchkey.dev}}`,
			wantDefinitions: []string{"customresourcedefinition/a.latchkey.dev"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := newOverlay([]byte(test.base), "../../../config/local", ports)
			if err != nil {
				t.Fatal(err)
			}
			var kustomization struct {
				APIVersion string   `yaml:"apiVersion"`
				Kind       string   `yaml:"kind"`
				Resources  []string `yaml:"resources"`
				Patches    []patch  `yaml:"patches"`
			}
			if err := yaml.Unmarshal(got.kustomization, &kustomization); err != nil {
				t.Fatal(err)
			}
			if got := kustomization.APIVersion + " " + kustomization.Kind; got != "kustomize.config.k8s.io/v1beta1 Kustomization" {
				t.Errorf("the overlay is a %s", got)
			}
			if diff := cmp.Diff([]string{"../../../config/local"}, kustomization.Resources); diff != "" {
				t.Errorf("resources (-want +got):\n%s", diff)
			}
			if len(kustomization.Patches) == 0 {
				kustomization.Patches = nil
			}
			if diff := cmp.Diff(test.wantPatches, kustomization.Patches); diff != "" {
				t.Errorf("patches (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.wantWebhooks, got.webhooks); diff != "" {
				t.Errorf("webhooks (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.wantDefinitions, got.definitions); diff != "" {
				t.Errorf("definitions (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOverlayRefusesWhatIsNotYAML(t *testing.T) {
	if _, err := newOverlay([]byte("kind: [broken"), "base", nil); err == nil {
		t.Error("no error")
	}
}
