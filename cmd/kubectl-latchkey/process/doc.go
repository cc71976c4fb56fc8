// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package process runs a command on this machine with secrets: as variables that this one
// process has, and as files in a folder in memory that goes when the process ends.
//
// The command stays in the process group that it was called in. So a terminal's signals
// reach it as they reach any command, a shell stops and continues it, and a pipeline that
// it is a part of works. What is sent to the process in front of it is passed on.
package process
