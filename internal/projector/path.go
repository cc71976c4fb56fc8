// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package projector

import (
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/latchkey-dev/latchkey/internal/policy/rules"
)

// MaxPathLength bounds a path in bytes, well below Linux's PATH_MAX (4096), because the runtime puts its own directories
// before it.
const MaxPathLength = 1024

// maxNameLength is Linux's NAME_MAX, the bound of one segment of a path.
const maxNameLength = 255

var (
	// reserved places, with all below, are filled by the kernel, the runtime, the kubelet or Latchkey itself.
	reserved = []string{
		"/dev", "/proc", "/sys",
		"/etc/hostname", "/etc/hosts", "/etc/resolv.conf",
		"/run/latchkey", "/run/secrets/kubernetes.io",
	}

	// directories exist in nearly every image, or contain a reserved place: a container does not start with a file
	// mounted there. Other directories of an image are not known here.
	directories = sets.New(
		"/boot", "/etc", "/home", "/media", "/mnt", "/opt", "/root", "/run", "/srv", "/tmp", "/usr", "/var",
		"/run/lock", "/run/secrets", "/usr/bin", "/usr/lib", "/usr/lib64", "/usr/local", "/usr/local/bin", "/usr/sbin",
		"/usr/share", "/var/lib", "/var/log", "/var/tmp",
	)
)

// Projectable says why a path, as the user wrote it, can never be that of a file in a container. The reason is empty
// for a path that can. It is what the status of a secret reports; whether a certain pod has room for the file is
// decided by Project. Besides places that cannot be files or are not the user's, it refuses colons, because not every container
// runtime can mount such a path.
func Projectable(p string) (reason string) {
	_, reason = placed(p)
	return reason
}

// placed returns where a path leads, or why it is not Projectable.
func placed(p string) (place, reason string) {
	if reason := malformed(p); reason != "" {
		return "", reason
	}
	// /proc itself is refused, whatever a path in it leads to.
	clean := path.Clean(p)
	if reason := special(clean); reason != "" {
		return "", reason
	}
	if place = rules.Place(clean); place == clean {
		return place, ""
	}
	return place, special(place)
}

func malformed(p string) (reason string) {
	switch {
	case !strings.HasPrefix(p, "/") && !strings.HasPrefix(p, "~/"):
		return "path does not begin with / or ~/"
	case len(p) > MaxPathLength:
		return "path is longer than 1024 bytes"
	case !utf8.ValidString(p) || strings.ContainsFunc(p, unicode.IsControl):
		return "path is not printable text"
	case strings.Contains(p, ":"):
		return "path contains a colon"
	}
	name := ""
	for name = range strings.SplitSeq(p, "/") {
		switch {
		case name == "..":
			return "path contains a .. segment"
		case len(name) > maxNameLength:
			return "path has a segment longer than 255 bytes"
		}
	}
	if name == "" || name == "." {
		return "path names a directory"
	}
	return ""
}

// special returns why Latchkey does not mount over a place, or "".
func special(p string) string {
	for _, place := range reserved {
		if p == place || isBelow(p, place) {
			return "path is reserved for the container's own use"
		}
	}
	if directories.Has(p) {
		return "path names a directory"
	}
	return ""
}

// Conflicts finds paths that cannot be files next to each other: the same place twice, or one below another, by where
// they lead (rules.Place). The earlier in the list wins. The result maps the index of each path that loses to the
// index of the path that it loses to. Paths that are not Projectable neither win nor lose. The home is not known, so "~/…"
// and absolute paths are compared only among themselves; Project compares again for its pod.
func Conflicts(paths []string) map[int]int {
	lost := map[int]int{}
	taken := newClaims(len(paths))
	for i, p := range paths {
		place, reason := placed(p)
		if reason != "" {
			continue
		}
		if winner, ok := taken.add(place, i); !ok {
			lost[i] = winner
		}
	}
	return lost
}

// claims holds the paths that are files, and the directories which these need.
type claims struct {
	files, parents map[string]int
}

func newClaims(size int) claims {
	return claims{files: make(map[string]int, size), parents: make(map[string]int, 2*size)}
}

// add claims a clean path for the index, unless that is impossible next to an earlier claim, which is returned.
func (c claims) add(p string, index int) (winner int, ok bool) {
	if winner, taken := c.files[p]; taken {
		return winner, false
	}
	if winner, taken := c.parents[p]; taken {
		return winner, false
	}
	for dir := parent(p); dir != ""; dir = parent(dir) {
		if winner, taken := c.files[dir]; taken {
			return winner, false
		}
	}
	c.files[p] = index
	for dir := parent(p); dir != ""; dir = parent(dir) {
		if _, known := c.parents[dir]; known {
			break
		}
		c.parents[dir] = index
	}
	return index, true
}

// parent returns the directory of a clean path, empty for the top.
func parent(p string) string {
	return p[:max(strings.LastIndexByte(p, '/'), 0)]
}

// isBelow reports whether a clean path lies in the tree of a clean absolute directory.
func isBelow(p, dir string) bool {
	if dir == "/" {
		return p != "/"
	}
	return len(p) > len(dir) && p[len(dir)] == '/' && p[:len(dir)] == dir
}

// absolute cleans a path of a container. The kubelet takes relative ones from the root.
func absolute(p string) string {
	return path.Clean("/" + p)
}
