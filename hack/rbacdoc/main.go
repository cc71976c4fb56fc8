// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Command rbacdoc writes docs/rbac.md, the list of all rights that Latchkey's
// manifests grant, from the manifests. It reads a folder of Roles and bindings and
// writes one page. The reason of a rule is the comment above it; a rule without one
// is refused.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	from := flag.String("from", "config/rbac", "folder with the Roles and their bindings")
	to := flag.String("to", "docs/rbac.md", "page to write")
	flag.Parse()
	if err := run(*from, *to); err != nil {
		fmt.Fprintln(os.Stderr, "rbacdoc:", err)
		os.Exit(1)
	}
}

func run(from, to string) error {
	grants, err := read(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, page(grants), 0o644)
}
