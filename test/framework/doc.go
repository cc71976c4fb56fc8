// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package framework runs a real Latchkey for tests: etcd and kube-apiserver by
// envtest, the manifests of config/local, and "latchkey controller" and "latchkey
// server" as processes of their own, each with the token of its own service account.
//
// It owns everything that it starts and a directory for logs. It does not depend on a
// test framework: it returns errors, and the caller asserts. Tests ask it what was
// requested of the API server ([Audit]), what etcd holds ([Etcd]), and what the processes
// logged and measured ([Process]).
package framework
