// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

// groups are where a face publishes its documents.
var groups = []string{"/openapi/v3/apis/coder.latchkey.dev/v2", "/openapi/v3/apis/golem.latchkey.dev/v1"}

// Held returns the face, holding every exchange from now on to the OpenAPI documents
// that it publishes: an answer that these do not describe is an error, and so is a
// success for a request that they do not allow. The token is anybody's.
func (f Face) Held(ctx context.Context, token string) (Face, error) {
	for _, group := range groups {
		err := until(ctx, func() error { // the cluster asks for them from time to time
			got, err := f.Do(ctx, http.MethodGet, f.Base+group, http.Header{"Authorization": {"Bearer " + token}}, "")
			if err != nil {
				return err
			}
			if got.Status != http.StatusOK {
				return fmt.Errorf("%s answered %d", group, got.Status)
			}
			d, err := openapi3.NewLoader().LoadFromData(got.Body)
			if err == nil {
				err = d.Validate(ctx)
			}
			if err == nil {
				f.documents = append(f.documents, d)
			}
			return err
		})
		if err != nil {
			return f, fmt.Errorf("the document of the %s face: %w", f.Name, err)
		}
	}
	return f, nil
}

// holds compares an exchange with the documents, if there are any.
func (f Face) holds(ctx context.Context, r *http.Request, body string, got Answer) error {
	if f.documents == nil || !strings.HasPrefix(r.URL.String(), f.Coder) && !strings.HasPrefix(r.URL.String(), f.Golem) {
		return nil
	}
	route, parameters := f.route(r)
	if route == nil {
		if got.Status == http.StatusNotFound || got.Status == http.StatusMethodNotAllowed || got.Status == http.StatusUnauthorized {
			return nil
		}
		return fmt.Errorf("%s %s answers %d and is documented nowhere", r.Method, r.URL.Path, got.Status)
	}
	in := &openapi3filter.RequestValidationInput{
		Request: f.exchange(ctx, r, body), PathParams: parameters, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true},
	}
	out := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: got.Status, Header: got.Header,
		Body: io.NopCloser(bytes.NewReader(got.Body)), Options: in.Options,
	}
	if err := openapi3filter.ValidateResponse(ctx, out); err != nil {
		return fmt.Errorf("the answer to %s %s is not as documented: %w", r.Method, r.URL.Path, err)
	}
	if got.Status >= http.StatusBadRequest {
		return nil
	}
	if err := openapi3filter.ValidateRequest(ctx, in); err != nil {
		return fmt.Errorf("%s %s was answered with %d and is documented as not allowed: %w", r.Method, r.URL.Path, got.Status, err)
	}
	return nil
}

// route finds the operation of a request by its path as it was sent. Of two paths that
// fit, as a secret's and the import's do, the one that has the method is meant.
func (f Face) route(r *http.Request) (*routers.Route, map[string]string) {
	var found *routers.Route
	var parameters map[string]string
	for _, d := range f.documents {
		for _, path := range d.Paths.InMatchingOrder() {
			values, ok := fits(path, r.URL.EscapedPath())
			op := d.Paths.Value(path).GetOperation(r.Method)
			if ok && op != nil && found == nil {
				found = &routers.Route{Spec: d, Path: path, PathItem: d.Paths.Value(path), Method: r.Method, Operation: op}
				parameters = values
			}
		}
	}
	return found, parameters
}

// fits reports whether an escaped path is one of a template, and its parameters.
func fits(template, escaped string) (map[string]string, bool) {
	want, got := strings.Split(template, "/"), strings.Split(escaped, "/")
	if len(want) != len(got) {
		return nil, false
	}
	values := map[string]string{}
	for i := range want {
		decoded, err := url.PathUnescape(got[i])
		switch name, parameter := strings.CutPrefix(want[i], "{"); {
		case err != nil, !parameter && decoded != want[i], parameter && decoded == "":
			return nil, false
		case parameter:
			values[strings.TrimSuffix(name, "}")] = decoded
		}
	}
	return values, true
}

// exchange is a request as the documents see it. Both contracts allow more in how JSON
// is sent than OpenAPI can say: other media types than application/json and, in the
// user-secrets API, anything after the first value.
func (f Face) exchange(ctx context.Context, r *http.Request, body string) *http.Request {
	if body != "" && strings.HasPrefix(r.URL.String(), f.Coder) {
		var first json.RawMessage
		if err := json.NewDecoder(strings.NewReader(body)).Decode(&first); err == nil {
			body = string(first)
		}
	}
	same := r.Clone(ctx)
	same.Body, same.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	if body != "" {
		same.Header.Set("Content-Type", "application/json")
	}
	return same
}
