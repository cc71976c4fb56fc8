// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package doctor says what is wrong with an installation and with a namespace. Reader
// collects facts with the caller's rights; it stores nothing, and what it sends is a dry
// run. System and Tenant judge the facts and are pure. A fact that the caller may not
// read is a finding of its own, which names the right.
package doctor
