// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The definitions hold the rules by themselves: what they accept here, no webhook saw.
var _ = Describe("Without the webhook configuration, the definition", Ordered, ContinueOnFailure, func() {
	var tenant string

	BeforeAll(func(ctx SpecContext) {
		tenant = newTenant(ctx)
		withoutWebhooks(ctx)
	})

	DescribeTable("of UserSecret refuses",
		func(ctx SpecContext, spec, want string) {
			err := api.Create(ctx, object("UserSecret", tenant, "bad", expand(ctx, tenant, spec)), client.DryRunAll)
			Expect(err).To(MatchError(And(ContainSubstring(want), Not(ContainSubstring(canary)))))
		},
		Entry("a value", `{value: VALUE}`, "value must be sealed before it is stored"),
		Entry("a value that is a number", `{value: 12345678}`, "value must be sealed before it is stored"),
		Entry("a value beside a sealed one", `{value: VALUE, sealedValue: SEALED}`, "value must be sealed before it is stored"),
		Entry("a sealed value and a source", `{sealedValue: SEALED, valueFrom: {secretKeyRef: {name: a, key: b}}}`, "exactly one of value, sealedValue and valueFrom must be set"),
		Entry("neither", `{envName: A}`, "exactly one of value, sealedValue and valueFrom must be set"),
		Entry("an empty sealed value", `{sealedValue: ""}`, "spec.sealedValue"),
		Entry("a sealed value that is none", `{sealedValue: lk1.abc}`, "spec.sealedValue"),

		Entry("an empty name", `{name: "", sealedValue: SEALED}`, "spec.name"),
		Entry("a blank name", `{name: " \t", sealedValue: SEALED}`, "Name is required."),
		Entry("a name that begins with a space", `{name: " a", sealedValue: SEALED}`, "Name must not have leading or trailing whitespace."),
		Entry("a name that begins with a vertical tab", `{name: "\va", sealedValue: SEALED}`, "Name must not have leading or trailing whitespace."),
		Entry("a name that ends with a line break", `{name: "a\n", sealedValue: SEALED}`, "Name must not have leading or trailing whitespace."),
		Entry("a name that ends with a next line", `{name: "a\N", sealedValue: SEALED}`, "Name must not have leading or trailing whitespace."),
		Entry("a name that ends with a no-break space", `{name: "a\u00a0", sealedValue: SEALED}`, "Name must not have leading or trailing whitespace."),
		Entry("a name that begins with an ideographic space", `{name: "\u3000a", sealedValue: SEALED}`, "Name must not have leading or trailing whitespace."),
		Entry("a name with a slash", `{name: a/b, sealedValue: SEALED}`, "Name must not contain /, ?, or #."),
		Entry("a name with a question mark", `{name: "a?b", sealedValue: SEALED}`, "Name must not contain /, ?, or #."),
		Entry("a name with a hash", `{name: "a#b", sealedValue: SEALED}`, "Name must not contain /, ?, or #."),
		Entry("a name of a dot", `{name: ".", sealedValue: SEALED}`, "Name must not be . or .."),
		Entry("a name of two dots", `{name: "..", sealedValue: SEALED}`, "Name must not be . or .."),
		Entry("a name with a null byte", `{name: "a\0b", sealedValue: SEALED}`, "must not contain null bytes"),
		Entry("a name of 254 characters", `{name: LONG254, sealedValue: SEALED}`, "spec.name"),
		Entry("a name of 127 characters and 254 bytes", `{name: "UMLAUTS127", sealedValue: SEALED}`, "Name must not exceed 253 bytes."),

		Entry("a variable of 257 bytes", `{envName: LONG257, sealedValue: SEALED}`, "spec.envName"),
		Entry("a variable that begins with a digit", `{envName: 1A, sealedValue: SEALED}`, "must start with a letter or underscore, followed by letters, digits, or underscores"),
		Entry("a variable with a dash", `{envName: A-B, sealedValue: SEALED}`, "must start with a letter or underscore"),
		Entry("a variable that ends with a line break", `{envName: "A\n", sealedValue: SEALED}`, "must start with a letter or underscore"),
		Entry("a variable with a letter that is not ASCII", `{envName: Ä, sealedValue: SEALED}`, "must start with a letter or underscore"),
		Entry("a variable of Coder's", `{envName: coder, sealedValue: SEALED}`, "environment variable names starting with CODER_ are reserved"),
		Entry("a variable with Coder's prefix", `{envName: CODER_X, sealedValue: SEALED}`, "environment variable names starting with CODER_ are reserved"),
		Entry("a variable of git's", `{envName: git_dir, sealedValue: SEALED}`, "are reserved"),
		Entry("a variable of the locale", `{envName: LC_ALL, sealedValue: SEALED}`, "are reserved"),
		Entry("a variable of the linker", `{envName: LD_PRELOAD, sealedValue: SEALED}`, "are reserved"),
		Entry("a variable of the other linker", `{envName: DYLD_X, sealedValue: SEALED}`, "are reserved"),

		Entry("a file that is relative", `{filePath: a/b, sealedValue: SEALED}`, "file path must start with ~/ or /"),
		Entry("a file of a home alone", `{filePath: "~", sealedValue: SEALED}`, "file path must start with ~/ or /"),
		Entry("a file with a null byte", `{filePath: "/a\0", sealedValue: SEALED}`, "file path must not contain null bytes"),
		Entry("a file of 4097 bytes", `{filePath: /LONG4096, sealedValue: SEALED}`, "spec.filePath"),
		Entry("a file of 4097 bytes and fewer characters", `{filePath: "/UMLAUTS2048", sealedValue: SEALED}`, "file path must not exceed 4096 bytes"),
		Entry("a description with a null byte", `{description: "a\0", sealedValue: SEALED}`, "description must not contain null bytes"),
		Entry("a description of 4097 characters", `{description: LONG4097, sealedValue: SEALED}`, "spec.description"),
		Entry("a description of 4098 bytes", `{description: "UMLAUTS2049", sealedValue: SEALED}`, "description must not exceed 4096 bytes"),
		Entry("a source that is a bundle", `{valueFrom: {secretKeyRef: {name: latchkey-user-env, key: a}}}`, "a bundle that Latchkey makes cannot be a source"),
		Entry("a source without a key", `{valueFrom: {secretKeyRef: {name: a}}}`, "spec.valueFrom.secretKeyRef.key"),
	)

	It("of UserSecret refuses every reserved variable, in any case", func(ctx SpecContext) {
		for _, reserved := range []string{
			"PATH", "HOME", "SHELL", "USER", "LOGNAME", "PWD", "OLDPWD", "LANG", "TERM", "IFS", "CDPATH", "ENV", "BASH_ENV",
			"TMPDIR", "TMP", "TEMP", "HOSTNAME", "SSH_AUTH_SOCK", "SSH_CLIENT", "SSH_CONNECTION", "SSH_TTY", "EDITOR", "VISUAL",
			"PAGER", "VSCODE_PROXY_URI", "CS_DISABLE_GETTING_STARTED_OVERRIDE", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME",
			"XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "path", "Home",
		} {
			err := api.Create(ctx, object("UserSecret", tenant, "bad", expand(ctx, tenant, "{envName: "+reserved+", sealedValue: SEALED}")), client.DryRunAll)
			Expect(err).To(MatchError(ContainSubstring("is a reserved environment variable name")), reserved)
		}
	})

	DescribeTable("of UserSecret accepts",
		func(ctx SpecContext, spec string) {
			Expect(api.Create(ctx, object("UserSecret", tenant, "bad", expand(ctx, tenant, spec)), client.DryRunAll)).To(Succeed())
		},
		Entry("a sealed value", `{sealedValue: SEALED}`),
		Entry("a source", `{valueFrom: {secretKeyRef: {name: a, key: b}}}`),
		Entry("a name with blanks inside and letters of any kind", `{name: "ein Schlüssel 鍵", sealedValue: SEALED}`),
		Entry("a name of three dots", `{name: "...", sealedValue: SEALED}`),
		Entry("a variable in lower case that looks like a reserved one", `{envName: paths, sealedValue: SEALED}`),
		Entry("a variable that has a reserved prefix without its underscore", `{envName: GITHUB_TOKEN, sealedValue: SEALED}`),
		Entry("a variable of 256 bytes", `{envName: LONG256, sealedValue: SEALED}`),
		Entry("no variable and no file", `{envName: "", filePath: "", sealedValue: SEALED}`),
		Entry("a file that can be none", `{filePath: /, sealedValue: SEALED}`),
	)

	DescribeTable("of AgentSecret refuses",
		func(ctx SpecContext, spec, want string) {
			err := api.Create(ctx, object("AgentSecret", tenant, "bad", expand(ctx, tenant, spec)), client.DryRunAll)
			Expect(err).To(MatchError(And(ContainSubstring(want), Not(ContainSubstring(canary)))))
		},
		Entry("a value", `{path: [p], secretType: {type: Str}, value: VALUE}`, "value must be sealed before it is stored"),
		Entry("no path", `{secretType: {type: Str}}`, "spec.path"),
		Entry("an empty path", `{path: [], secretType: {type: Str}}`, "spec.path"),
		Entry("a path of 17 segments", `{path: [a1, a2, a3, a4, a5, a6, a7, a8, a9, b1, b2, b3, b4, b5, b6, b7, b8], secretType: {type: Str}}`, "spec.path"),
		Entry("an empty segment", `{path: [""], secretType: {type: Str}}`, "spec.path[0]"),
		Entry("a segment of 254 bytes", `{path: [LONG254], secretType: {type: Str}}`, "spec.path[0]"),
		Entry("no type", `{path: [p]}`, "spec.secretType"),
		Entry("a type that is a text", `{path: [p], secretType: Str}`, "spec.secretType"),
		Entry("a variable that is none", `{path: [p], secretType: {type: Str}, envName: A-B}`, "must start with a letter or underscore"),
		Entry("a file outside of its directory", `{path: [p], secretType: {type: Str}, filePath: a/../../b}`, "must not contain a segment that is . or starts with .."),
		Entry("a file that is absolute", `{path: [p], secretType: {type: Str}, filePath: /a}`, "must be a relative path"),
		Entry("a revision below 0", `{path: [p], secretType: {type: Str}, revision: -1}`, "spec.revision"),
		Entry("a sealed value that is none", `{path: [p], secretType: {type: Str}, sealedValue: abc}`, "spec.sealedValue"),
	)

	It("keeps what cannot be changed", func(ctx SpecContext) {
		u := object("UserSecret", tenant, "fixed", `{name: fixed, sealedValue: `+sealFor(ctx, "UserSecret", tenant, "fixed", canary)+`}`)
		a := object("AgentSecret", tenant, "fixed", `{path: [fixed], secretType: {type: Str}}`)
		create(ctx, u, a)
		patch := func(o client.Object, change string) error {
			return api.Patch(ctx, o, client.RawPatch("application/merge-patch+json", []byte(change)), client.DryRunAll)
		}
		Expect(patch(u, `{"spec":{"name":"other"}}`)).To(MatchError(ContainSubstring("name is immutable: delete this UserSecret and create another")))
		Expect(patch(u, `{"spec":{"name":null}}`)).To(MatchError(ContainSubstring("name is immutable: delete this UserSecret and create another")))
		Expect(patch(a, `{"spec":{"path":["other"]}}`)).To(MatchError(ContainSubstring("path is immutable: delete this AgentSecret and create another")))
		Expect(patch(u, `{"spec":{"value":"`+canary+`"}}`)).To(MatchError(ContainSubstring("value must be sealed before it is stored")))
		Expect(patch(u, `{"spec":{"envName":"FREE"}}`)).To(Succeed())
	})
})
