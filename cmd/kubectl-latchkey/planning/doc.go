// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package planning works out what applying manifests would do: to the objects, by dry runs
// on the server; to what pods find, by the rules that the controller has; and to what runs.
// It stores nothing, and tells nobody whether a value is the stored one who may not read it.
package planning
