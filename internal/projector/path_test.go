// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package projector_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/latchkey-dev/latchkey/internal/policy/rules"
	"github.com/latchkey-dev/latchkey/internal/projector"
)

func TestProjectable(t *testing.T) {
	const (
		start     = "path does not begin with / or ~/"
		long      = "path is longer than 1024 bytes"
		text      = "path is not printable text"
		colon     = "path contains a colon"
		up        = "path contains a .. segment"
		segment   = "path has a segment longer than 255 bytes"
		directory = "path names a directory"
		reserved  = "path is reserved for the container's own use"
	)
	for p, want := range map[string]string{
		"~/.netrc": "", "/token": "", "~/.config/gh/token": "", "/etc/app/token": "", "/etc/passwd": "", "~/a//b/./c": "",
		"/tmp/..data": "", "~/ü b": "", "~/~": "", "/rune": "", "/devices": "", "/etc/hosts.allow": "", "~/etc/hosts": "",
		"/run/latchkeys": "", "/run/secrets/kubernetes.io.d/x": "", "~/" + strings.Repeat("a", 255): "",
		"": start, "~": start, "netrc": start, "./netrc": start, "~me/netrc": start, "~\x00": start,
		"/" + strings.Repeat("a/", 512):      long,
		"~/a\x00b":                           text,
		"~/a\nb":                             text,
		"~/\xff":                             text,
		"~/\u0085":                           text,
		"~/a:b":                              colon,
		"/..":                                up,
		"~/../x":                             up,
		"~/a/..":                             up,
		"~/" + strings.Repeat("a", 256):      segment,
		"/":                                  directory,
		"//":                                 directory,
		"~/":                                 directory,
		"~/.":                                directory,
		"/.":                                 directory,
		"~/a/":                               directory,
		"~/a/.":                              directory,
		"/etc":                               directory,
		"//etc":                              directory,
		"/run":                               directory,
		"/var/run/secrets":                   directory,
		"/bin":                               directory,
		"/lib64":                             directory,
		"/var/lock":                          directory,
		"/proc/self/root/srv/x":              reserved,
		"/run/shm/x":                         reserved,
		"/proc":                              reserved,
		"/proc/1/environ":                    reserved,
		"/sys/x":                             reserved,
		"/dev/termination-log":               reserved,
		"//dev//x":                           reserved,
		"/etc/hosts":                         reserved,
		"/etc/hosts/x":                       reserved,
		"/etc/./hostname":                    reserved,
		"/etc/resolv.conf":                   reserved,
		"/run/latchkey":                      reserved,
		"/run/latchkey/user/x":               reserved,
		"/var/run/latchkey/user/x":           reserved,
		"/run/secrets/kubernetes.io/x":       reserved,
		"/var/run/secrets/kubernetes.io/a/b": reserved,
	} {
		if got := projector.Projectable(p); got != want {
			t.Errorf("Projectable(%q) = %q, want %q", p, got, want)
		}
	}
}

func TestConflicts(t *testing.T) {
	for name, tc := range map[string]struct {
		paths []string
		want  map[int]int
	}{
		"no paths":                                {nil, map[int]int{}},
		"files in one directory":                  {[]string{"~/a/b", "~/a/c", "~/a/bc", "/a/b", "/a.b"}, map[int]int{}},
		"the same path":                           {[]string{"/a", "/b", "/a"}, map[int]int{2: 0}},
		"the same path spelt otherwise":           {[]string{"/a/b", "/a//./b"}, map[int]int{1: 0}},
		"the same place by a link":                {[]string{"/run/a", "/var/run/a", "/var/lock/b", "/run/lock/b"}, map[int]int{1: 0, 3: 2}},
		"one place below another by a link":       {[]string{"/var/run/a", "/run/a/b", "/usr/lib/x/y", "/lib/x"}, map[int]int{1: 0, 3: 2}},
		"one path below another":                  {[]string{"/a", "/a/b"}, map[int]int{1: 0}},
		"one path far below another":              {[]string{"~/a", "~/a/b/c/d"}, map[int]int{1: 0}},
		"one path above another":                  {[]string{"/a/b/c", "/a/b", "/a"}, map[int]int{1: 0, 2: 0}},
		"the first of several below is named":     {[]string{"/x", "/a/b", "/a/c", "/a"}, map[int]int{3: 1}},
		"who loses stands in no other's way":      {[]string{"/a/b", "/a", "/a/c"}, map[int]int{1: 0}},
		"who cannot be a file loses to nobody":    {[]string{"/a", "/a/", "/a/../b"}, map[int]int{}},
		"who cannot be a file is in nobody's way": {[]string{"/etc", "/etc/x", "~/", "~/x"}, map[int]int{}},
		"a home is not compared with the root":    {[]string{"~/root/a", "/root/a", "~/a"}, map[int]int{}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, projector.Conflicts(tc.paths)); diff != "" {
				t.Errorf("Conflicts(%q) (-want +got):\n%s", tc.paths, diff)
			}
		})
	}
}

// FuzzConflicts compares Conflicts with its definition, pair by pair.
func FuzzConflicts(f *testing.F) {
	f.Add("/a\n/a/b\n~/a\n/a")
	f.Add("/a/b/c\n/a\n/a/b\n/a/c/d\n/etc")
	f.Fuzz(func(t *testing.T, list string) {
		paths := strings.Split(list, "\n")
		if len(paths) > 64 {
			return
		}
		got := projector.Conflicts(paths)
		for i, p := range paths {
			winner, lost := got[i]
			if want := clashes(paths[:i], got, p); (want >= 0) != lost {
				t.Fatalf("path %d of %q: lost = %t, but it clashes with %d", i, paths, lost, want)
			}
			if lost && (winner >= i || !clash(paths[winner], p)) {
				t.Fatalf("path %d of %q lost to %d, which is not in its way", i, paths, winner)
			}
			if _, again := got[winner]; lost && again {
				t.Fatalf("path %d of %q lost to %d, which lost itself", i, paths, winner)
			}
		}
	})
}

// clashes returns an earlier winner that stands in the path's way, or -1.
func clashes(earlier []string, lost map[int]int, p string) int {
	if projector.Projectable(p) != "" {
		return -1
	}
	for i, q := range earlier {
		if _, gone := lost[i]; !gone && projector.Projectable(q) == "" && clash(p, q) {
			return i
		}
	}
	return -1
}

func clash(p, q string) bool {
	p, q = rules.Place(p), rules.Place(q)
	return p == q || strings.HasPrefix(p, q+"/") || strings.HasPrefix(q, p+"/")
}
