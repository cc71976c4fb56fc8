// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package aggregation unregisters Latchkey's aggregated APIs while no server can answer
// for them, and registers them again afterwards.
//
// An aggregated API that does not answer affects the whole cluster: discovery is
// incomplete, so the namespace controller cannot finish the deletion of any namespace.
// Without the APIService, discovery is complete.
//
// The package also restores the APIServices and the webhook configuration when they are
// deleted while Latchkey runs, and corrects them when somebody edits them. Anyone who
// uninstalls Latchkey marks them first ([AnnotationUninstall]).
//
// It reads the EndpointSlices of the servers' Service, and deletes, creates and
// writes Latchkey's APIServices. It saves those that it unregistered in a ConfigMap of
// Latchkey's own namespace.
package aggregation
