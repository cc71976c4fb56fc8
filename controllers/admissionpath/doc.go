// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package admissionpath keeps the path under which the API server asks Latchkey about
// objects, which nobody else may know: see package admissionport.
//
// It makes the path in a Secret of Latchkey's own namespace and writes it into
// Latchkey's webhook configuration, beside the CA. Every hour, and when the serving
// certificate is renewed, the path gets a successor: the API server quotes it in the
// errors of connections that fail, so nobody can say that it stays unknown for ever.
//
// No admission fails meanwhile. Servers hear of a new path first; the configuration
// names it when they have had time to; and the path before is honoured until the next
// one is made, which is long after every API server has the new configuration.
package admissionpath
