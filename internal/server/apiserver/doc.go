// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package apiserver is the server in front of the REST dialects: an extension API
// server on k8s.io/apiserver without resources of its own. It owns the port, who a
// caller is (authentication is delegated to the cluster), who comes through the
// authorizer, audit, limits, discovery and the OpenAPI documents, and a shutdown that
// drops no request.
//
// It does not own what a caller may do with secrets. The authorizer lets every
// authenticated caller through to the dialects; they check the room themselves,
// with [Access], which asks the cluster on the caller's behalf. That way both faces
// (the documented paths on our own port, and the same below /apis through the
// aggregation layer) answer alike.
//
// Nothing here reads a body, and no credential outlives authentication but where it
// is the answer: see withCoderCredentials.
package apiserver
