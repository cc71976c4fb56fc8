// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package linearizability asks whether every client reads what was acknowledged to
// anybody, whatever happens to the processes. It sends real requests to all replicas by
// both faces while faults happen, writes down when each was sent and answered, and lets
// porcupine look for an order of the requests that explains all answers.
package linearizability
