// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
)

// What Kubernetes itself asks discovery for, by its own client, in both forms.
func TestDiscoveryAsKubernetesReadsIt(t *testing.T) {
	server := httptest.NewServer(newSetup(teapot).server(t).Handler())
	defer server.Close()
	for name, legacy := range map[string]bool{"in one document": false, "version by version": true} {
		t.Run(name, func(t *testing.T) {
			client, err := discovery.NewDiscoveryClientForConfig(&rest.Config{Host: server.URL, BearerToken: "good"})
			if err != nil {
				t.Fatal(err)
			}
			client.UseLegacyDiscovery = legacy
			groups, err := client.ServerGroups()
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, g := range groups.Groups {
				got = append(got, g.PreferredVersion.GroupVersion)
			}
			if diff := cmp.Diff([]string{"coder.latchkey.dev/v2", "golem.latchkey.dev/v1"}, got); diff != "" {
				t.Errorf("groups (-want +got):\n%s", diff)
			}
			for gv, want := range map[string]metav1.APIResource{
				"coder.latchkey.dev/v2": {Name: "users/secrets", Kind: "UserSecret", Verbs: metav1.Verbs{"create", "delete", "get", "patch"}},
				"golem.latchkey.dev/v1": {Name: "envs/agent-secrets", Kind: "AgentSecret", Verbs: metav1.Verbs{"create", "get"}},
			} {
				list, err := client.ServerResourcesForGroupVersion(gv)
				if err != nil {
					t.Fatal(err)
				}
				for i := range list.APIResources { // which the two forms fill in differently
					list.APIResources[i].Group, list.APIResources[i].Version = "", ""
				}
				if diff := cmp.Diff([]metav1.APIResource{want}, list.APIResources); diff != "" {
					t.Errorf("resources of %s (-want +got):\n%s", gv, diff)
				}
			}

			// kubectl, namespace deletion and garbage collection go by this: there must
			// be nothing in it, and no error either.
			preferred, err := client.ServerPreferredResources()
			if err != nil {
				t.Fatal(err)
			}
			for _, list := range preferred {
				if len(list.APIResources) > 0 {
					t.Errorf("%s offers %v as kinds", list.GroupVersion, list.APIResources)
				}
			}
		})
	}
}
