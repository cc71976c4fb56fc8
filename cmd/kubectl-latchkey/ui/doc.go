// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package ui is the page in the browser that "kubectl latchkey ui" serves on loopback, with
// the caller's rights. It asks the cluster through the packages that the commands use, and
// keeps nothing between two requests but who may ask.
//
// static/htmx.min.js is version 2.0.11 of the npm package htmx.org, dist/htmx.min.js as it
// was published, under the licence beside it; a test holds its hash.
package ui
