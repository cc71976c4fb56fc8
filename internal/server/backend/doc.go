// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package backend connects the REST dialects with the store, the directory and the
// cluster's authorization. For each dialect, it implements the interfaces that the
// dialect declares. It has no rules of its own.
package backend
