// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/latchkey-dev/latchkey/test/framework"
)

// searchEtcd looks for the samples' values in all that etcd holds: they may be in native Secrets and nowhere else.
func (t *tour) searchEtcd(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	needles, tooShort := needlesOf(t.samples)
	h := newHaystack(needles)
	values := 0
	// What was overwritten or deleted lies in etcd's files for some more minutes, so that is looked at too.
	if err := framework.EtcdAt(t.etcdURL()).Visit(ctx, 0, func(e framework.Entry) {
		values++
		h.search(string(e.Key), slices.Concat(e.Key, []byte("\n"), e.Value))
	}); err != nil {
		return err
	}
	lines, err := h.verdict()
	t.Linef("etcd: %d keys searched, with all the %d values that it still remembers", len(h.keys), values)
	for _, line := range lines {
		t.Linef("  %s", line)
	}
	for _, owner := range tooShort {
		t.Linef("  a value of %s is too short to look for", owner)
	}
	return err
}

// verdict says for each value where it was found. It fails if a value lies where it must not; and if none was found
// at all, since then the search has shown nothing.
func (h *haystack) verdict() ([]string, error) {
	var lines, leaks []string
	found := false
	for i, n := range h.needles {
		who := "the value of " + strings.Join(n.owners, " and of ")
		homes, elsewhere := h.places(i)
		found = found || len(homes) > 0
		switch {
		case len(elsewhere) > 0:
			leaks = append(leaks, who+" lies in "+strings.Join(elsewhere, ", "))
		case len(homes) == 0:
			lines = append(lines, who+" appears nowhere")
		default:
			lines = append(lines, fmt.Sprintf("%s appears in %s, %s and nowhere else",
				who, plural(len(homes), "native Secret"), strings.Join(homes, ", ")))
		}
	}
	if len(leaks) > 0 {
		return lines, errors.New("plaintext in etcd: " + strings.Join(leaks, "; "))
	}
	if !found {
		return lines, errors.New("the search of etcd shows nothing: no value was found, not even in a native Secret")
	}
	return lines, nil
}

// searchLogs looks for the same values in the logs of all processes and in the audit log.
func (t *tour) searchLogs(context.Context) error {
	needles, _ := needlesOf(t.samples)
	h := newHaystack(needles)
	paths, err := filepath.Glob(t.dev("log", "*"))
	if err != nil {
		return err
	}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		h.search(t.relative(path), content)
	}
	for i, n := range needles {
		if _, places := h.places(i); len(places) > 0 {
			return fmt.Errorf("plaintext in a log: the value of %s lies in %s",
				strings.Join(n.owners, " and of "), strings.Join(places, ", "))
		}
	}
	t.Linef("logs: %d files searched, the audit log among them; no value appears in any", len(h.keys))
	return nil
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
