// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package sealing is what the commands seal, reseal and validate do: it reads and writes
// manifests, and asks the cluster by dry runs. It holds public keys alone.
package sealing
