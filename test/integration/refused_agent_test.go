// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

var _ = Describe("A bad AgentSecret", Ordered, ContinueOnFailure, func() {
	var tenant string
	var before map[string]string

	BeforeAll(func(ctx SpecContext) {
		tenant = newTenant(ctx)
		create(ctx, object("AgentSecret", tenant, "good", `{path: [good_one], secretType: {type: Str}, value: `+canary+`}`))
		Eventually(ctx, condition(agentSecret(tenant, "good"))).Should(Equal("True Projected"))
		before = versions(ctx, tenant)
	})

	DescribeTable("is refused with a message that says why, and changes nothing",
		func(ctx SpecContext, spec, want string) {
			err := api.Create(ctx, object("AgentSecret", tenant, "bad", expand(ctx, tenant, spec)))
			Expect(err).To(MatchError(And(ContainSubstring(want), Not(ContainSubstring(canary)))))
			Expect(versions(ctx, tenant)).To(Equal(before))
		},
		Entry("no path", `{secretType: {type: Str}, value: VALUE}`, "spec.path"),
		Entry("an empty path", `{path: [], secretType: {type: Str}, value: VALUE}`, "spec.path"),
		Entry("a segment without a letter", `{path: ["--"], secretType: {type: Str}, value: VALUE}`, "spec.path: path[0]: expected a segment with a letter or a digit"),
		Entry("a path of 17 segments", `{path: [a1, a2, a3, a4, a5, a6, a7, a8, a9, b1, b2, b3, b4, b5, b6, b7, b8], secretType: {type: Str}, value: VALUE}`, "expected 1 to 16 segments"),
		Entry("a segment of 254 bytes", `{path: [LONG254], secretType: {type: Str}, value: VALUE}`, "expected at most 128 bytes"),
		Entry("a path that is a text", `{path: a.b, secretType: {type: Str}, value: VALUE}`, "cannot be read: check the types of its fields"),
		Entry("no type", `{path: [p], value: VALUE}`, "spec.secretType"),
		Entry("an empty type", `{path: [p], secretType: {}, value: VALUE}`, "spec.secretType"),
		Entry("an unknown type", `{path: [p], secretType: {type: String}, value: VALUE}`, "spec.secretType"),
		Entry("a list of nothing", `{path: [p], secretType: {type: List}, value: VALUE}`, "spec.secretType"),
		Entry("a value of another type", `{path: [p], secretType: {type: U8}, value: VALUE}`, "spec.value: value does not match type"),
		Entry("a value larger than 64 KiB", `{path: [p], secretType: {type: Str}, value: "LONG65535"}`, "the value exceeds the limit of 65536 bytes"),
		Entry("a sealed value of another kind", `{path: [p], secretType: {type: Str}, sealedValue: OTHER-NAME}`, "it was sealed for another object"),
		Entry("a plain value in the place of a sealed one", `{path: [p], secretType: {type: Str}, sealedValue: VALUE}`, "not a sealed value"),
		Entry("the path of another in another spelling", `{path: [goodOne], secretType: {type: Str}, value: VALUE}`, `spec.path: path already in use: "goodOne" is claimed by good`),
		Entry("the variable of another", `{path: [p], envName: GOOD_ONE, secretType: {type: Str}, value: VALUE}`, `spec.envName: environment variable already in use: "GOOD_ONE" is claimed by good`),
		Entry("the file of another", `{path: [p], filePath: goodOne, secretType: {type: Str}, value: VALUE}`, `spec.filePath: file path already in use: "goodOne" is claimed by good`),
		Entry("a variable that is none", `{path: [p], envName: A-B, secretType: {type: Str}, value: VALUE}`, "must start with a letter or underscore"),
		Entry("a file outside of its directory", `{path: [p], filePath: ../up, secretType: {type: Str}, value: VALUE}`, "must not contain a segment that is . or starts with .."),
		Entry("a file that is absolute", `{path: [p], filePath: /etc/passwd, secretType: {type: Str}, value: VALUE}`, "must be a relative path"),
	)

	It("without a name is told to have one", func(ctx SpecContext) {
		nameless := object("AgentSecret", tenant, "", `{path: [p], secretType: {type: Str}}`)
		nameless.SetGenerateName("generated-")
		Expect(api.Create(ctx, nameless)).To(MatchError(ContainSubstring("set metadata.name instead")))
		Expect(versions(ctx, tenant)).To(Equal(before))
	})
})
