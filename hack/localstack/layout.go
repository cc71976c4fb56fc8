// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import "path/filepath"

// layout knows where everything lies below the root of the source tree.
type layout struct{ root string }

func (l layout) dev(elem ...string) string {
	return filepath.Join(append([]string{l.root, "bin", "dev"}, elem...)...)
}

func (l layout) lock() string              { return filepath.Join(l.root, "bin", "dev.lock") }
func (l layout) latchkey() string          { return filepath.Join(l.root, "bin", "latchkey") }
func (l layout) env() string               { return l.dev("env") }
func (l layout) ports() string             { return l.dev("ports.json") }
func (l layout) pki(name string) string    { return l.dev("pki", name) }
func (l layout) adminKubeconfig() string   { return l.dev("admin.kubeconfig") }
func (l layout) config(elem string) string { return filepath.Join(l.root, "config", elem) }

// relative shortens a path below the root for people.
func (l layout) relative(path string) string {
	if short, err := filepath.Rel(l.root, path); err == nil && filepath.IsLocal(short) {
		return short
	}
	return path
}
