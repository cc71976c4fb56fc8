// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package openapi describes the two REST APIs, from memory. The sources are the two
// YAML files in its folder, in OpenAPI 3.0. Version 2, which can express less, is
// derived from them. The files are written by hand, because the dialects are not
// Kubernetes resources that a generator could describe. Tests compare them with the
// handlers and with answers.
package openapi

import (
	_ "embed" // the documents
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	"k8s.io/kube-openapi/pkg/spec3"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"sigs.k8s.io/yaml"
)

//go:embed coder.yaml
var coderYAML []byte

//go:embed golem.yaml
var golemYAML []byte

// API is one of the described APIs and where it is served.
type API struct {
	// Version3 is the path of its OpenAPI 3 document, as in the cluster's index:
	// "apis/<group>/<version>".
	Version3 string
	// Direct and Aggregated are the prefixes of its paths, on our own port and below
	// the aggregation layer.
	Direct, Aggregated string

	source []byte
}

// Coder returns the user-secrets API.
func Coder(group, direct, aggregated string) API {
	return API{Version3: "apis/" + group, Direct: direct, Aggregated: aggregated, source: coderYAML}
}

// Golem returns the agent-secrets API.
func Golem(group, direct, aggregated string) API {
	return API{Version3: "apis/" + group, Direct: direct, Aggregated: aggregated, source: golemYAML}
}

const (
	jsonType = "application/json"

	// directOnly marks a path that is not served through the cluster.
	directOnly = "x-direct-only"
	// discriminator is how the sources write the discriminator of version 3: the
	// library's type supports only that of version 2, which is not an object.
	discriminator = "x-discriminator"

	security = "BearerToken"
)

// Version3 returns the OpenAPI 3 document of one API.
func Version3(api API) (*spec3.OpenAPI, error) {
	result := &spec3.OpenAPI{
		Version: "3.0.0",
		Info:    info(),
		Paths:   &spec3.Paths{Paths: map[string]*spec3.Path{}},
	}
	for _, face := range api.faces() {
		source := &spec3.OpenAPI{} // read once for each face, because faces must not share operations
		text, err := yaml.YAMLToJSONStrict(api.source)
		if err != nil {
			return nil, fmt.Errorf("openapi: %s: %w", api.Version3, err)
		}
		if err := json.Unmarshal(text, source); err != nil {
			return nil, fmt.Errorf("openapi: %s: %w", api.Version3, err)
		}
		for path, item := range source.Paths.Paths {
			if only, _ := item.Extensions.GetBool(directOnly); only && face.suffix != "" {
				continue
			}
			delete(item.Extensions, directOnly)
			for _, op := range operations(item) {
				op.OperationId += face.suffix      // ids are unique in a document
				if op.SecurityRequirement == nil { // an empty one says that no credentials are needed
					op.SecurityRequirement = []map[string][]string{{security: {}}}
				}
			}
			result.Paths.Paths[strings.TrimSuffix(face.prefix, "/")+path] = item
		}
		result.Components = source.Components
	}
	for _, schema := range result.Components.Schemas {
		discriminate(schema)
	}
	result.Components.SecuritySchemes = spec3.SecuritySchemes{security: {SecuritySchemeProps: spec3.SecuritySchemeProps{
		Type: "http", Scheme: "bearer", Description: "A token of the cluster.",
	}}}
	return result, nil
}

func (a API) faces() []struct{ prefix, suffix string } {
	return []struct{ prefix, suffix string }{{a.Direct, ""}, {a.Aggregated, "Aggregated"}}
}

func info() *spec.Info {
	return &spec.Info{InfoProps: spec.InfoProps{
		Title:   "Latchkey",
		Version: "v1",
		Description: "Secrets of users and of agent environments. Paths below /apis are served through the Kubernetes API " +
			"server, all others on Latchkey's own port.",
	}}
}

// discriminate adds the discriminators of version 3 to a schema and all schemas in it.
func discriminate(s *spec.Schema) {
	if d, ok := s.Extensions[discriminator]; ok {
		delete(s.Extensions, discriminator)
		s.ExtraProps = map[string]any{"discriminator": d}
	}
	for name, property := range s.Properties {
		discriminate(&property)
		s.Properties[name] = property
	}
}

func operations(item *spec3.Path) map[string]*spec3.Operation {
	all := map[string]*spec3.Operation{"get": item.Get, "post": item.Post, "patch": item.Patch, "delete": item.Delete}
	maps.DeleteFunc(all, func(_ string, op *spec3.Operation) bool { return op == nil })
	return all
}
