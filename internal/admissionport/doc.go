// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package admissionport is the port at which the API server asks for admission, and
// refuses all other clients.
//
// An API server does not authenticate to a webhook unless its administrator configures
// that. So the path of an admission request begins with a segment that cannot be
// guessed. The controller writes it into a Secret of Latchkey's own namespace, which
// every server replica watches, and then into the webhook configuration. A request
// without it is answered 404, before its body is read. If the API server can present a
// client certificate, the port can require one as well.
//
// Accepted requests share a budget of bytes, so that their bodies and the decoded
// objects fit into the memory of the process.
//
// The package reads the Secret. Package admissionpath, of the controller, writes it.
package admissionport
