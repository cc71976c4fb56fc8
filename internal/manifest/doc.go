// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package manifest finds UserSecrets and AgentSecrets in files of YAML or JSON, and
// changes the value of one without touching another byte. It is pure: text in, text out.
//
// It works on the text, since whoever prints a parsed file anew loses comments, blank
// lines and spelling. Where a change would do anything else than it should, which is
// found by reading the changed text again, it is refused with a reason.
package manifest
