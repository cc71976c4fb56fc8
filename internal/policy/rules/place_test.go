// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"path"
	"testing"
)

func TestPlace_OneFileOfManyNames_IsOnePlace(t *testing.T) {
	for p, want := range map[string]string{
		"/run/x": "/run/x", "/var/run/x": "/run/x", "/var/run": "/run", "/var/runs/x": "/var/runs/x",
		"/var//run/./x/": "/run/x", "/var/lib/../run/x": "/run/x", "/../run/x": "/run/x",
		"/var/lock/x": "/run/lock/x", "/var/run/shm/x": "/dev/shm/x", "/usr/tmp/x": "/var/tmp/x",
		"/bin/sh": "/usr/bin/sh", "/sbin/x": "/usr/sbin/x", "/lib/x": "/usr/lib/x", "/lib64/x": "/usr/lib64/x",
		"/library/x": "/library/x", "/usr/lib/x": "/usr/lib/x",
		"/proc/self/root/etc/passwd": "/etc/passwd", "/proc/1/root/var/run/x": "/run/x",
		"/proc/self/task/1/root/lib/x": "/usr/lib/x", "/proc/self/root/proc/self/root/x": "/x",
		"/proc/self/root": "/proc/self/root", "/proc/1/environ": "/proc/1/environ",
		"~/x": "~/x", "~//a/./b": "~/a/b", "~/bin/x": "~/bin/x", "/": "/",
	} {
		if got := Place(p); got != want {
			t.Errorf("Place(%q) = %q, want %q", p, got, want)
		}
	}
}

// FuzzPlace holds that a place leads nowhere else and is a clean path.
func FuzzPlace(f *testing.F) {
	f.Add("/proc/self/root/var/run/shm/../x")
	f.Add("/var/run/../lib//bin")
	f.Fuzz(func(t *testing.T, p string) {
		got := Place(p)
		if again := Place(got); again != got {
			t.Errorf("Place(%q) = %q, which leads to %q", p, got, again)
		}
		if path.Clean(got) != got {
			t.Errorf("Place(%q) = %q is not clean", p, got)
		}
	})
}
