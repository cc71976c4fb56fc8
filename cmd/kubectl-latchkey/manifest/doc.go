// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package manifest finds UserSecrets and AgentSecrets in files of YAML or JSON, and
// changes the value of one without touching another byte. It is pure: text in, text out.
//
// It works on the text, because a parsed file that is printed again loses comments, blank
// lines and spelling. It reads the changed text again, and refuses a change that has any
// other effect than it should have, with a reason.
package manifest
