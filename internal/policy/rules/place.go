// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"path"
	"strings"
)

// links are directories that are links to another one in usual images. If an image has
// two directories instead of a link, treating them as one refuses a file that would
// have been possible, but never allows one that must be refused.
var links = []struct{ from, to string }{
	{"/bin", "/usr/bin"},
	{"/sbin", "/usr/sbin"},
	{"/lib", "/usr/lib"},
	{"/lib32", "/usr/lib32"},
	{"/lib64", "/usr/lib64"},
	{"/libx32", "/usr/libx32"},
	{"/run/shm", "/dev/shm"},
	{"/usr/tmp", "/var/tmp"},
	{"/var/lock", "/run/lock"},
	{"/var/run", "/run"},
}

// Place returns where a path leads in usual images: clean, and with the links of system
// directories followed. Two paths are the same file if their places are equal. A path
// below "~/" stays as it is, because the home depends on the container.
func Place(p string) string {
	p = path.Clean(p)
	for {
		next := follow(p)
		if next == p {
			return p
		}
		p = next
	}
}

// follow follows one link of a clean path. The root of a process is the root.
func follow(p string) string {
	if len(p) < 2 || strings.IndexByte("bslruvp", p[1]) < 0 { // no link begins like this
		return p
	}
	for _, l := range links {
		if p == l.from || isBelow(p, l.from) {
			return l.to + p[len(l.from):]
		}
	}
	if rest, found := strings.CutPrefix(p, "/proc/"); found {
		if _, rest, found = strings.Cut(rest+"/", "/root/"); found && rest != "" {
			return path.Clean("/" + rest)
		}
	}
	return p
}

// isBelow reports whether a clean path lies in the tree of a clean directory.
func isBelow(p, dir string) bool {
	return len(p) > len(dir) && p[len(dir)] == '/' && p[:len(dir)] == dir
}
