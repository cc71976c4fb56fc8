// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package rollout restarts Deployments, StatefulSets and DaemonSets that ask for it
// when the content of their tenant's bundles has changed.
//
// It compares states and counts no events: a workload carries the digest of the
// content that its pods were started with ([AnnotationContentHash]), and is rolled
// when the bundles have another one. What changed while nobody looked is found at
// the next look, and what did not change rolls nothing, however often Latchkey
// restarts: the digest is made from the keyed digests that the bundles carry, which
// depend on their content and on a key that is stored.
//
// The digest stands on the workload itself and, once it was rolled, on its pod
// template, whose change is what makes the API server's own controllers roll it. A
// workload that opts in gets the first one only, so opting in rolls nothing. It is the
// digest of the present content, and for a workload that came while nobody led the
// digest of what the bundles held then ([Reconciler.TakeOver]).
//
// A change is acted upon after a delay, in which others may join it, and an interval
// after the last restart of the same workload. No more than a number of rollouts that
// it started is under way at once, over all tenants, for which tenants take turns:
// [line] says whose turn it is, and [places] for how long a rollout counts.
//
// Nothing that tenants can write decides about other tenants. What a workload says of
// itself, the digest, decides about that workload alone. What concerns others is in
// memory, and for the next leader in a ConfigMap of Latchkey's own namespace.
//
// It reads bundles and the metadata of workloads from caches, and from the API
// server the workloads that it is about to write or waits for. It writes
// annotations of workloads, and that ConfigMap.
package rollout
