// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package apiserver is the server in front of the REST dialects: an extension API
// server on k8s.io/apiserver without resources of its own. It owns the port,
// authentication (delegated to the cluster), access to the server, audit, limits,
// discovery, the OpenAPI documents, and a shutdown that drops no request.
//
// It does not decide what a caller may do with secrets. The authorizer passes every
// authenticated caller to the dialects. They check the rights on secrets themselves
// with [Access], which asks the cluster on the caller's behalf. So both faces answer
// alike: the documented paths on our own port, and the same paths below /apis through
// the aggregation layer.
//
// Nothing here reads a body. No credential is passed on after authentication, except
// where it is the answer: see withCoderCredentials.
package apiserver
