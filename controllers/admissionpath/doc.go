// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package admissionpath maintains the URL path at which the API server asks Latchkey to
// admit objects. Only the API server may know it: see package admissionport.
//
// It stores the path in a Secret of Latchkey's own namespace and writes it into
// Latchkey's webhook configuration, beside the CA. It replaces the path every hour and
// when the serving certificate is renewed: the API server quotes the path in the errors
// of failed connections, so it cannot be assumed to stay secret.
//
// No admission fails during a replacement. Servers learn a new path first; the
// configuration names it a few seconds later. The previous path is accepted until the
// next replacement, long after every API server has the new configuration.
package admissionpath
