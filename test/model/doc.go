// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package model does random things to a few tenants of a real API server, while their
// controller dies between any two requests, and compares what becomes of them with a model
// that is trivial: what a bundle is to hold follows from the objects as they are.
//
// SEED repeats a run, and DURATION makes it longer. What happens when is not repeated: the
// controller runs beside the test.
package model
