// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	apidiscoveryv2 "k8s.io/api/apidiscovery/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/endpoints/discovery"
	genericapiserver "k8s.io/apiserver/pkg/server"

	"github.com/latchkey-dev/latchkey/internal/server/apiserver/openapi"
)

// described is what discovery lists of a group: the one collection below a parent from
// which a client finds the rest.
//
// It is listed as a subresource on purpose. Clients treat what is listed as a resource
// as a kind: kubectl offers it, namespace deletion and garbage collection list it if it
// has the verb list, and quota counts it. None of that can work here, because the
// dialects' answers are not Kubernetes objects. For the same reason, the Golem
// dialect's calls by id, which have no parent, are not listed. OpenAPI describes them
// all.
type described struct {
	gv          schema.GroupVersion
	parent      string
	subresource string
	kind        string
	verbs       metav1.Verbs
}

var groups = []described{
	{coderGroup, "users", "secrets", "UserSecret", metav1.Verbs{"create", "delete", "get", "patch"}},
	{golemGroup, "envs", "agent-secrets", "AgentSecret", metav1.Verbs{"create", "get"}},
}

// installDiscovery serves the groups, from memory.
func installDiscovery(s *genericapiserver.GenericAPIServer) {
	for _, g := range groups {
		version := metav1.GroupVersionForDiscovery{GroupVersion: g.gv.String(), Version: g.gv.Version}
		group := metav1.APIGroup{
			Name: g.gv.Group, Versions: []metav1.GroupVersionForDiscovery{version}, PreferredVersion: version,
		}
		s.DiscoveryGroupManager.AddGroup(group)
		s.AggregatedDiscoveryGroupManager.AddGroupVersion(g.gv.Group, g.aggregated())

		mux := s.Handler.NonGoRestfulMux
		mux.Handle("/apis/"+g.gv.Group, readOnly(discovery.NewAPIGroupHandler(s.Serializer, group)))
		mux.Handle("/apis/"+g.gv.String(),
			readOnly(discovery.NewAPIVersionHandler(s.Serializer, g.gv, discovery.APIResourceListerFunc(g.resources))))
	}
}

// resources is the group in the form of one list for each version.
func (g described) resources() []metav1.APIResource {
	return []metav1.APIResource{{Name: g.parent + "/" + g.subresource, Kind: g.kind, Verbs: g.verbs}}
}

// aggregated is the group in the form of one document for all groups.
func (g described) aggregated() apidiscoveryv2.APIVersionDiscovery {
	return apidiscoveryv2.APIVersionDiscovery{
		Version:   g.gv.Version,
		Freshness: apidiscoveryv2.DiscoveryFreshnessCurrent,
		Resources: []apidiscoveryv2.APIResourceDiscovery{{
			Resource:     g.parent,
			Scope:        apidiscoveryv2.ScopeCluster,
			ResponseKind: &metav1.GroupVersionKind{}, // the parent itself is not served
			Subresources: []apidiscoveryv2.APISubresourceDiscovery{{
				Subresource:  g.subresource,
				ResponseKind: &metav1.GroupVersionKind{Group: g.gv.Group, Version: g.gv.Version, Kind: g.kind},
				Verbs:        g.verbs,
			}},
		}},
	}
}

// apis are the APIs that the OpenAPI documents describe.
func apis() []openapi.API {
	return []openapi.API{
		openapi.Coder(coderGroup.String(), CoderRoot, "/apis/"+coderGroup.String()+"/"),
		openapi.Golem(golemGroup.String(), GolemDirect, GolemAggregated),
	}
}
