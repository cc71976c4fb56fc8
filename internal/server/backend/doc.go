// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package backend joins the REST dialects to the store, the directory and the
// cluster's authorisation: for each dialect it implements the interfaces that the
// dialect declares. It holds no rules of its own.
package backend
