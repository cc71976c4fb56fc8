// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestFindRoot(t *testing.T) {
	root := t.TempDir()
	inner := filepath.Join(root, "hack", "controlplane", "etcd")
	if err := os.MkdirAll(inner, 0o700); err != nil {
		t.Fatal(err)
	}
	overwrite(t, filepath.Join(root, "go.mod"), "module "+modulePath+"\n\ngo 1.26\n")
	overwrite(t, filepath.Join(inner, "go.mod"), "module "+modulePath+"/hack/controlplane/etcd\n")
	for name, dir := range map[string]string{"the root itself": root, "a module inside of the tree": inner} {
		if got, err := findRoot(dir); err != nil || got != root {
			t.Errorf("%s: %q, %v; want %q", name, got, err, root)
		}
	}
	if got, err := findRoot(t.TempDir()); err == nil {
		t.Errorf("outside of the tree: %q, want an error", got)
	}
}

func TestLastLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	for name, test := range map[string]struct {
		content string
		want    []string
	}{
		"an empty log":           {"", nil},
		"fewer lines than asked": {"a\nb", []string{"a", "b"}},
		"more lines than asked":  {"a\nb\nc\nd\n", []string{"b", "c", "d"}},
	} {
		t.Run(name, func(t *testing.T) {
			overwrite(t, path, test.content)
			got, err := lastLines(path, 3)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("lines (-want +got):\n%s", diff)
			}
		})
	}
}

func TestStopOrderEndsNothingBeforeWhatNeedsIt(t *testing.T) {
	got := stopOrder([]string{"balancer", "controller", "etcd", "kube-apiserver", "server-0", "server-1"})
	want := []string{"balancer", "server-0", "server-1", "controller", "kube-apiserver", "etcd"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func TestLatchkeyArguments(t *testing.T) {
	s := &stack{layout: layout{root: "/src"}, ports: &portBook{numbers: map[string]int{
		"server-1/webhook": 1, "server-1/rest": 2, "server-1/metrics": 3, "server-1/health": 4,
	}}}
	common := []string{
		"/src/bin/latchkey", "server", "--kubeconfig=/src/bin/dev/server.kubeconfig", "--namespace=latchkey-system",
		"--metrics-bind-address=127.0.0.1:3", "--health-probe-bind-address=127.0.0.1:4", "-v=2",
		"--webhook-bind-address=127.0.0.1:1",
	}
	if diff := cmp.Diff(common, s.server(1, upOptions{verbosity: 2}).argv); diff != "" {
		t.Errorf("without REST (-want +got):\n%s", diff)
	}
	want := append(slices.Clone(common), "--secure-bind-address=127.0.0.1:2")
	if diff := cmp.Diff(want, s.server(1, upOptions{verbosity: 2, rest: true}).argv); diff != "" {
		t.Errorf("with REST (-want +got):\n%s", diff)
	}
}

func TestStepSaysHowLongItTook(t *testing.T) {
	clock := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	var out bytes.Buffer
	r := report{out: &out, now: func() time.Time { clock = clock.Add(400 * time.Millisecond); return clock }}
	if err := r.step(t.Context(), "etcd", func(context.Context) (string, error) { return "ready", nil }); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	err := r.step(t.Context(), "etcd", func(context.Context) (string, error) { return "", broken })
	if !errors.Is(err, broken) {
		t.Errorf("error %v, want %v", err, broken)
	}
	if diff := cmp.Diff("etcd ready (0.4s)\netcd FAILED (0.4s)\n", out.String()); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

func TestEventually(t *testing.T) {
	t.Run("it tries until it succeeds", func(t *testing.T) {
		tries := 0
		if err := eventually(t.Context(), time.Minute, func(context.Context) error {
			if tries++; tries < 3 {
				return errors.New("not yet")
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	})
	t.Run("when the time is over it says why", func(t *testing.T) {
		err := eventually(t.Context(), time.Millisecond, func(context.Context) error { return errors.New("no caBundle") })
		if err == nil || !strings.Contains(err.Error(), "no caBundle") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("a permanent error ends it at once", func(t *testing.T) {
		ended := errors.New("ended")
		if err := eventually(t.Context(), time.Minute, func(context.Context) error { return permanent{ended} }); !errors.Is(err, ended) {
			t.Errorf("error %v, want %v", err, ended)
		}
	})
	t.Run("an interrupt ends it at once", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		err := eventually(ctx, time.Minute, func(context.Context) error {
			cancel()
			return errors.New("not yet")
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want %v", err, context.Canceled)
		}
	})
}
