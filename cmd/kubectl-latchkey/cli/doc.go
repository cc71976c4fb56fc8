// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package cli holds the conventions that all commands share: the streams and what may be
// said on them, flags that lead to a cluster, where values come from, exit codes, and the
// forms of output. It sends no request.
package cli
