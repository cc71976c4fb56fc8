// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestStopOrderEndsNothingBeforeWhatNeedsIt(t *testing.T) {
	got := stopOrder([]string{"balancer", "controller", "etcd", "kube-apiserver", "restarter", "server-0", "server-1"})
	want := []string{"restarter", "balancer", "server-0", "server-1", "controller", "kube-apiserver", "etcd"}
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
	if diff := cmp.Diff(common, s.server(1, upOptions{verbosity: 2}).Argv); diff != "" {
		t.Errorf("without REST (-want +got):\n%s", diff)
	}
	want := append(slices.Clone(common), "--secure-bind-address=127.0.0.1:2")
	if diff := cmp.Diff(want, s.server(1, upOptions{verbosity: 2, rest: true}).Argv); diff != "" {
		t.Errorf("with REST (-want +got):\n%s", diff)
	}
}
