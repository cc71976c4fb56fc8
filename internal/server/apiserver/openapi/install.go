// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package openapi

import (
	"net/http"

	"k8s.io/kube-openapi/pkg/handler"
	"k8s.io/kube-openapi/pkg/handler3"
)

// Mux is what the documents are registered in.
type Mux interface {
	Handle(path string, handler http.Handler)
}

// Install serves the APIs' documents at /openapi/v2 and below /openapi/v3, in the
// formats and with the caching that Kubernetes clients expect. It applies wrap to every
// handler.
func Install(mux Mux, wrap func(http.Handler) http.Handler, apis ...API) error {
	wrapped := wrapping{mux, wrap}
	v2, err := Version2(apis...)
	if err != nil {
		return err
	}
	handler.NewOpenAPIService(v2).RegisterOpenAPIVersionedService("/openapi/v2", wrapped)

	documents := handler3.NewOpenAPIService()
	wrapped.Handle("/openapi/v3", http.HandlerFunc(documents.HandleDiscovery))
	for _, api := range apis {
		v3, err := Version3(api)
		if err != nil {
			return err
		}
		documents.UpdateGroupVersion(api.Version3, v3)
		wrapped.Handle("/openapi/v3/"+api.Version3, withoutHash(documents.HandleGroupVersion))
	}
	return nil
}

type wrapping struct {
	Mux
	wrap func(http.Handler) http.Handler
}

// Handle implements Mux.
func (w wrapping) Handle(path string, h http.Handler) { w.Mux.Handle(path, w.wrap(h)) }

// withoutHash hides the hash of a document that a client sends. If it is outdated, the
// library answers with a redirect, which the aggregation layer turns into an error; a
// client could not recover after an upgrade. Without the hash, the client gets the
// document, and its ETag still avoids the transfer.
func withoutHash(h http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		plain := r.Clone(r.Context())
		plain.URL.RawQuery = ""
		h(w, plain)
	})
}
