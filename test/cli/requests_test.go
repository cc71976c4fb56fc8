// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sync/errgroup"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/test/framework"
)

var requestLine = regexp.MustCompile(`"Response" verb="(\w+)" url="[^"]*?/namespaces/[^"]*?"`)

// requests returns how many requests a command sends, by verb, and what it said.
func requests(ctx context.Context, namespace, stdin string, args ...string) (map[string]int, result) {
	GinkgoHelper()
	got := run(ctx, namespace, stdin, append(args, "-v=6")...)
	counts := map[string]int{}
	for _, m := range requestLine.FindAllStringSubmatch(got.stderr, -1) {
		counts[m[1]]++
	}
	return counts, got
}

var _ = Describe("requests", func() {
	It("lists in one request for each kind, and imports with no more than a dry run and a write for each key", func(ctx SpecContext) {
		ns := newTenant(ctx)
		var env strings.Builder
		for i := range 50 {
			_, _ = fmt.Fprintf(&env, "KEY_%02d=%s\n", i, canary)
		}
		counts, got := requests(ctx, ns, env.String(), "import", "-", "--format", "env", "--yes")
		Expect(got.code).To(Equal(0), got.stderr)
		Expect(counts).To(Equal(map[string]int{"GET": 2, "POST": 100}))
		counts, got = requests(ctx, ns, "", "list")
		Expect(got.code).To(Equal(0), got.stderr)
		Expect(strings.Count(got.stdout, "\n")).To(Equal(51))
		Expect(counts).To(Equal(map[string]int{"GET": 2}))
		Expect(strings.Count(got.stderr, "limit=500")).To(BeNumerically(">=", 2), "so 500 take no more")
		counts, _ = requests(ctx, ns, "", "usage")
		Expect(counts).To(Equal(map[string]int{"GET": 3}), "both kinds and the pods")
	})

	It("lists 500 in one request for each kind, and any number in pages of that", func(ctx SpecContext) {
		ns := newTenant(ctx)
		DeferCleanup(func(ctx SpecContext) { // or they take the time of later specs
			Expect(api.DeleteAllOf(ctx, &v1alpha1.AgentSecret{}, client.InNamespace(ns))).To(Succeed())
		})
		var group errgroup.Group
		group.SetLimit(4)
		add := func(n int) {
			group.Go(func() error {
				return api.Create(ctx, framework.AgentSecret(ns, fmt.Sprintf("a%03d", n), str, `"an-agent-value"`, fmt.Sprintf("a%03d", n)))
			})
		}
		for n := range 500 {
			add(n)
		}
		Expect(group.Wait()).To(Succeed())
		Eventually(ctx, func() string { return succeed(ctx, ns, "", "list") }, 2*time.Minute).ShouldNot(ContainSubstring("Checking"))
		for command, want := range map[string]int{"list": 2, "agent list": 1, "usage": 3, "describe a250": 3} {
			counts, got := requests(ctx, ns, "", strings.Fields(command)...)
			Expect(got.code).To(Equal(0), got.stderr)
			Expect(counts).To(Equal(map[string]int{"GET": want}), command)
			if !strings.HasPrefix(command, "describe") {
				Expect(strings.Count(got.stdout, "\n")).To(Equal(501), command)
			}
		}
		// Across namespaces there may be more of them.
		other := newTenant(ctx)
		Expect(api.Create(ctx, framework.AgentSecret(other, "one-more", str, `"an-agent-value"`, "one"))).To(Succeed())
		all := succeed(ctx, ns, "", "list", "-A", "--kind", "agent", "-o", "name", "-v=6")
		Expect(regexp.MustCompile(`(?m)^agentsecret\.latchkey\.dev/a\d{3}$`).FindAllString(all, -1)).To(HaveLen(500)) // and those of other specs
		Expect(all).To(ContainSubstring("agentsecret.latchkey.dev/one-more\n"))
	})

	It("tries a change of agents in two ways, and stores nothing", func(ctx SpecContext) {
		ns := newTenant(ctx)
		succeed(ctx, ns, canary, "agent", "set", "a", "--type", "string")
		for _, mode := range []string{"client", "server"} {
			for _, change := range [][]string{{"set", "a"}, {"set", "new", "--type", "string"}, {"unset", "a"}, {"delete", "a"}} {
				counts, got := requests(ctx, ns, canary+"-2", append(append([]string{"agent"}, change...), "--dry-run="+mode)...)
				Expect(got.code).To(Equal(0), got.stderr)
				Expect(got.stdout).To(ContainSubstring("(" + mode + " dry run)"))
				Expect(counts["POST"]+counts["PATCH"]+counts["DELETE"]).To(Equal(map[string]int{"client": 0, "server": 1}[mode]), "%v", change)
			}
		}
		Expect(run(ctx, ns, "", "agent", "unset", "a", "--dry-run=client", "--if-revision", "7")).To(ends(3))
		Expect(strings.Count(succeed(ctx, ns, "", "list", "-o", "name"), "\n")).To(Equal(1))
		Expect(succeed(ctx, ns, "", "agent", "get", "a", "-o", "yaml")).To(And(ContainSubstring("revision: 0\n"), ContainSubstring("sealedValue: ")))
	})
})
