// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package availability measures, for each fault that docs/availability.md names, how long
// REST stands still and how many requests are refused, and holds the measured to what the
// page promises.
package availability
