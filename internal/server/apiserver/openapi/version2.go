// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package openapi

import (
	"fmt"
	"maps"
	"strings"

	"k8s.io/kube-openapi/pkg/spec3"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

// Version2 returns one OpenAPI 2 document of all the APIs, which the cluster merges
// into its own. Version 2 has neither alternatives nor null: a schema with alternatives
// becomes an object with any members.
func Version2(apis ...API) (*spec.Swagger, error) {
	all := &spec.Swagger{SwaggerProps: spec.SwaggerProps{
		Swagger:  "2.0",
		Info:     info(),
		Produces: []string{jsonType},
		Consumes: []string{jsonType},
		Paths:    &spec.Paths{Paths: map[string]spec.PathItem{}},
		SecurityDefinitions: spec.SecurityDefinitions{security: &spec.SecurityScheme{
			SecuritySchemeProps: spec.SecuritySchemeProps{
				Type: "apiKey", In: "header", Name: "authorization", Description: "Bearer and a token of the cluster.",
			},
		}},
		Definitions: spec.Definitions{},
	}}
	for _, api := range apis {
		source, err := Version3(api)
		if err != nil {
			return nil, err
		}
		definitions := spec.Definitions{}
		for name, schema := range source.Components.Schemas {
			definitions[name] = plain(schema)
		}
		c := conversion{definitions: definitions, used: all.Definitions}
		for path, item := range source.Paths.Paths {
			converted, err := c.item(item)
			if err != nil {
				return nil, fmt.Errorf("openapi: %s: %w", path, err)
			}
			all.Paths.Paths[path] = converted
		}
	}
	return all, nil
}

// conversion turns paths of version 3 into those of version 2. It collects the
// definitions that they refer to in used.
type conversion struct{ definitions, used spec.Definitions }

func (c conversion) item(from *spec3.Path) (spec.PathItem, error) {
	to := spec.PathItem{PathItemProps: spec.PathItemProps{Parameters: c.parameters(from.Parameters)}}
	for method, op := range operations(from) {
		converted, err := c.operation(op)
		if err != nil {
			return spec.PathItem{}, err
		}
		switch method {
		case "get":
			to.Get = converted
		case "post":
			to.Post = converted
		case "patch":
			to.Patch = converted
		case "delete":
			to.Delete = converted
		}
	}
	return to, nil
}

func (c conversion) operation(from *spec3.Operation) (*spec.Operation, error) {
	to := &spec.Operation{OperationProps: spec.OperationProps{
		ID: from.OperationId, Summary: from.Summary,
		Consumes: []string{jsonType}, Produces: []string{jsonType},
		Parameters: c.parameters(from.Parameters),
		Responses:  &spec.Responses{ResponsesProps: spec.ResponsesProps{StatusCodeResponses: map[int]spec.Response{}}},
	}}
	if body := from.RequestBody; body != nil {
		to.Parameters = append(to.Parameters, spec.Parameter{ParamProps: spec.ParamProps{
			Name: "body", In: "body", Required: body.Required, Schema: c.content(body.Content),
		}})
	}
	if from.Responses == nil {
		return nil, fmt.Errorf("%s has no responses", from.OperationId)
	}
	for status, answer := range from.Responses.StatusCodeResponses {
		to.Responses.StatusCodeResponses[status] = spec.Response{ResponseProps: spec.ResponseProps{
			Description: answer.Description, Schema: c.content(answer.Content),
		}}
	}
	return to, nil
}

func (c conversion) parameters(from []*spec3.Parameter) []spec.Parameter {
	var to []spec.Parameter
	for _, p := range from {
		to = append(to, spec.Parameter{
			ParamProps:        spec.ParamProps{Name: p.Name, In: p.In, Required: p.Required, Description: p.Description},
			SimpleSchema:      spec.SimpleSchema{Type: p.Schema.Type[0], Format: p.Schema.Format},
			CommonValidations: spec.CommonValidations{Minimum: p.Schema.Minimum},
		})
	}
	return to
}

func (c conversion) content(from map[string]*spec3.MediaType) *spec.Schema {
	media, ok := from[jsonType]
	if !ok {
		return nil
	}
	schema := plain(media.Schema)
	c.use(&schema)
	return &schema
}

// use records the definitions that a schema refers to.
func (c conversion) use(s *spec.Schema) {
	if name := strings.TrimPrefix(s.Ref.String(), "#/definitions/"); name != "" {
		if _, done := c.used[name]; !done {
			c.used[name] = c.definitions[name]
			definition := c.definitions[name]
			c.use(&definition)
		}
	}
	if s.Items != nil {
		c.use(s.Items.Schema)
	}
	for _, property := range s.Properties {
		c.use(&property)
	}
}

// plain returns a schema without what version 2 does not support.
func plain(s *spec.Schema) spec.Schema {
	to := *s
	if len(to.OneOf) == 1 { // a reference that may be null
		return plain(&to.OneOf[0])
	}
	if name, ok := strings.CutPrefix(to.Ref.String(), "#/components/schemas/"); ok {
		return spec.Schema{SchemaProps: spec.SchemaProps{Ref: spec.MustCreateRef("#/definitions/" + name)}}
	}
	if len(to.OneOf) > 0 {
		return spec.Schema{SchemaProps: spec.SchemaProps{Type: spec.StringOrArray{"object"}, Description: to.Description}}
	}
	to.Nullable = false
	if to.Items != nil {
		items := plain(to.Items.Schema)
		to.Items = &spec.SchemaOrArray{Schema: &items}
	}
	to.Properties = maps.Clone(to.Properties)
	for name, property := range to.Properties {
		to.Properties[name] = plain(&property)
	}
	return to
}
