// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package admissionport is the port at which the API server asks about objects, and
// keeps everybody else out.
//
// An API server proves nothing about itself to a webhook unless its administrator
// configures that. So what it asks begins with a path segment that nobody can guess:
// the controller writes it into a Secret of Latchkey's own namespace, which every
// server replica watches, and then into the webhook configuration. Without it a
// request is answered 404, whatever else it asks for, before its body is read. Where
// the API server can present a client certificate, one can be demanded as well.
//
// Requests that may come in share a budget of bytes, so that their bodies and what is
// made of them fit the memory of the process.
//
// The package reads the Secret. Package admissionpath, the controller's, writes it.
package admissionport
