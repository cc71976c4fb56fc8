// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package process

// NewFiles fails: this system has no file system in memory that everybody can use.
func NewFiles(map[string]map[string][]byte) (*Files, error) { return nil, ErrNoMemory }
