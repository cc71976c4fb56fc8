// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
)

// What deploy tools keep of a manifest. The attacks on annotations have the encodings.
var _ = Describe("A copy of a manifest", func() {
	const secret = "canary-mockingbird"

	DescribeTable("of kubectl holds no misspelt value", func(ctx SpecContext, kind, resource, spec string, flags ...string) {
		tenant := newTenant(ctx)
		apply(ctx, manifest(kind, tenant, "s", spec), flags...)
		stored := run(ctx, "-n", tenant, "get", resource, "s", "-o", "yaml", "--show-managed-fields")
		Expect(stored).NotTo(ContainSubstring("mockingbird"))
		Expect(stored).To(ContainSubstring("last-applied-configuration"), "control: the copy is there")
		before := versions(ctx, tenant)
		settled(ctx, tenant)
		apply(ctx, manifest(kind, tenant, "s", spec), flags...)
		Expect(before).To(HaveKey(tenant + "/s"))
		Expect(run(ctx, "-n", tenant, "get", resource, "s", "-o", "yaml")).NotTo(ContainSubstring("mockingbird"), "applied again")
	},
		Entry("of an AgentSecret", "AgentSecret", "asec", "path: [s]\nsecretType: {type: Str}\nsecretValue: "+secret, "--validate=warn"),
		Entry("of a UserSecret beside its value", "UserSecret", "usec", "envName: S\nvalue: another-one-1\nValue: "+secret, "--validate=ignore"),
		Entry("of a UserSecret in a source", "UserSecret", "usec", "envName: S\nvalue: another-one-1\nvalueFrom: null\ndata: {a: "+secret+"}", "--validate=ignore"),
	)

	It("of kubectl holds no misspelt value of an object that exists", func(ctx SpecContext) {
		tenant := newTenant(ctx)
		apply(ctx, userManifest(tenant, "s", "envName: S\nvalue: "+secret))
		Eventually(ctx, data(tenant, v1alpha1.BundleUserEnv)).Should(Equal(values{"S": secret}))
		apply(ctx, userManifest(tenant, "s", "envName: S\nValue: "+secret+"-b"), "--validate=ignore")
		Expect(run(ctx, "-n", tenant, "get", "usec", "s", "-o", "yaml", "--show-managed-fields")).NotTo(ContainSubstring("mockingbird"))
		Expect(data(tenant, v1alpha1.BundleUserEnv)(ctx)).To(Equal(values{"S": secret}), "what is misspelt is no value")
	})

	It("of another tool is reduced, and what people write there stays", func(ctx SpecContext) {
		tenant := newTenant(ctx)
		text := strings.Replace(userManifest(tenant, "s", "envName: S\nvalue: "+secret), "  name: s\n",
			"  name: s\n  annotations:\n    team: green\n    kapp.k14s.io/original: '{\"kind\":\"UserSecret\",\"spec\":{\"envName\":\"S\",\"value\":\""+secret+"\"}}'\n", 1)
		for range 2 {
			apply(ctx, text)
			stored := run(ctx, "-n", tenant, "get", "usec", "s", "-o", "yaml", "--show-managed-fields")
			Expect(stored).NotTo(ContainSubstring("mockingbird"))
			Expect(stored).To(And(ContainSubstring("team: green"), ContainSubstring(`{"kind":"UserSecret","spec":{"envName":"S"}}`)))
		}
		settled(ctx, tenant)
		before := versions(ctx, tenant)
		apply(ctx, text)
		Expect(versions(ctx, tenant)).To(Equal(before), "applied again, nothing changes")
	})
})
