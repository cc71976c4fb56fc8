// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package openapi describes the two REST APIs, from memory. The source is the two
// YAML files beside it, in OpenAPI 2.0; version 3 is derived from them. They are
// written by hand, since the dialects are no Kubernetes resources that a generator
// could describe, and a test holds them against the handlers.
package openapi

import (
	_ "embed" // the documents
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/kube-openapi/pkg/openapiconv"
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
	// Version3 is the path of its OpenAPI 3 document, as the cluster's index names
	// it: "apis/<group>/<version>".
	Version3 string
	// Direct and Aggregated are what stands before its paths, on our own port and
	// below the aggregation layer.
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

const jsonType = "application/json"

// Version2 returns one OpenAPI 2 document of all the APIs.
func Version2(apis ...API) (*spec.Swagger, error) {
	all := document()
	for _, api := range apis {
		one, err := api.version2()
		if err != nil {
			return nil, err
		}
		maps.Copy(all.Paths.Paths, one.Paths.Paths)
		maps.Copy(all.Definitions, one.Definitions)
	}
	return all, nil
}

// Version3 returns the OpenAPI 3 document of one API.
func Version3(api API) (*spec3.OpenAPI, error) {
	v2, err := api.version2()
	if err != nil {
		return nil, err
	}
	v3 := openapiconv.ConvertV2ToV3(v2)
	for path, item := range v3.Paths.Paths {
		for _, op := range []*spec3.Operation{item.Post, item.Patch} {
			if op == nil {
				continue
			}
			if op.RequestBody == nil {
				return nil, fmt.Errorf("openapi: %s lost its body", path)
			}
			op.RequestBody.Required = true // which the conversion forgets
		}
	}
	return v3, nil
}

func document() *spec.Swagger {
	return &spec.Swagger{SwaggerProps: spec.SwaggerProps{
		Swagger: "2.0",
		Info: &spec.Info{InfoProps: spec.InfoProps{
			Title:   "Latchkey",
			Version: "v1",
			Description: "Secrets of users and of agent environments. Every path is served twice, alike: as documented " +
				"on Latchkey's own port, and below /apis through the Kubernetes API server.",
		}},
		Produces: []string{jsonType},
		Consumes: []string{jsonType},
		Paths:    &spec.Paths{Paths: map[string]spec.PathItem{}},
		SecurityDefinitions: spec.SecurityDefinitions{"BearerToken": &spec.SecurityScheme{
			SecuritySchemeProps: spec.SecuritySchemeProps{
				Type: "apiKey", In: "header", Name: "authorization", Description: "Bearer and a token of the cluster.",
			},
		}},
		Definitions: spec.Definitions{},
	}}
}

// version2 is the document of one API, with the paths of both faces.
func (a API) version2() (*spec.Swagger, error) {
	result := document()
	for _, face := range []struct{ prefix, suffix string }{{a.Direct, ""}, {a.Aggregated, "Aggregated"}} {
		source := &spec.Swagger{} // read anew, since the faces must not share operations
		text, err := yaml.YAMLToJSONStrict(a.source)
		if err != nil {
			return nil, fmt.Errorf("openapi: %s: %w", a.Version3, err)
		}
		if err := source.UnmarshalJSON(text); err != nil {
			return nil, fmt.Errorf("openapi: %s: %w", a.Version3, err)
		}
		for path, item := range source.Paths.Paths {
			for _, op := range operations(item) {
				op.ID += face.suffix // ids are unique in a document
				op.Consumes, op.Produces = []string{jsonType}, []string{jsonType}
			}
			result.Paths.Paths[strings.TrimSuffix(face.prefix, "/")+path] = item
		}
		result.Definitions = source.Definitions
	}
	return result, nil
}

func operations(item spec.PathItem) []*spec.Operation {
	return slices.DeleteFunc([]*spec.Operation{item.Get, item.Post, item.Patch, item.Delete},
		func(op *spec.Operation) bool { return op == nil })
}
