// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package aggregation takes Latchkey's aggregated APIs out of the cluster while no
// server can answer for them, and puts them back.
//
// An aggregated API that does not answer is not only its own users' problem: the
// cluster cannot list all of its resources any more, and so deletes no namespace,
// whoever's it is. Without the APIService it can.
//
// It also puts back what makes the API server ask Latchkey, the APIServices and the
// webhook configuration, when somebody deletes one while Latchkey runs. Who takes
// Latchkey out of a cluster marks them first ([AnnotationUninstall]).
//
// It reads the EndpointSlices of the servers' Service, deletes and creates Latchkey's
// APIServices, and keeps those that it took out, as they were, in a ConfigMap of
// Latchkey's own namespace.
package aggregation
