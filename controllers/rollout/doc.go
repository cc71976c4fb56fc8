// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package rollout restarts Deployments, StatefulSets and DaemonSets that ask for it
// when the content of their tenant's bundles has changed.
//
// It compares states instead of counting events: a workload carries the digest of the
// content that its pods were started with ([AnnotationContentHash]), and is restarted
// when the content of the bundles has another digest. Changes that happened while no
// replica led are found afterwards. Without a change, nothing restarts, however often
// Latchkey itself restarts: the digest is made from the keyed digests on the bundles,
// which depend only on their content and on a stored key.
//
// The digest is on the workload itself and, after the first restart, on its pod
// template. The change of the template makes the API server's own controllers replace
// the pods. A workload that opts in only gets the digest on itself, so opting in does
// not restart it. That is the digest of the current content. For a workload that was
// created while no replica led, it is the digest of what the bundles contained then
// ([Reconciler.TakeOver]).
//
// A restart waits for a delay, in which more changes may come, and for an interval
// since the last restart of the same workload. The number of concurrent rollouts that
// Latchkey started is limited over all tenants, and tenants take turns: [line] decides
// whose turn it is, and [places] how long a rollout counts.
//
// Nothing that a tenant can write affects other tenants. The digest on a workload
// affects that workload alone. The state that concerns all tenants is in memory, and
// for the next leader in a ConfigMap of Latchkey's own namespace.
//
// The package reads bundles and the metadata of workloads from caches. From the API
// server it reads the workloads that it is about to write or waits for. It writes
// annotations of workloads, and that ConfigMap.
package rollout
