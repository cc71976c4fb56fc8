// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/binding"
	"github.com/latchkey-dev/latchkey/test/framework"
)

var _ = Describe("A bad UserSecret", Ordered, ContinueOnFailure, func() {
	var tenant string
	var before map[string]string

	BeforeAll(func(ctx SpecContext) {
		tenant = newTenant(ctx)
		create(ctx, good(tenant))
		Eventually(ctx, condition(userSecret(tenant, "good"))).Should(Equal("True Projected"))
		before = versions(ctx, tenant)
	})

	// changedNothing is what must hold after every refusal.
	changedNothing := func(ctx context.Context) {
		GinkgoHelper()
		Expect(versions(ctx, tenant)).To(Equal(before))
	}

	DescribeTable("is refused on creation with a message that says why, and changes nothing",
		func(ctx SpecContext, spec, want string) {
			err := api.Create(ctx, object("UserSecret", tenant, "bad", expand(ctx, tenant, spec)))
			Expect(err).To(MatchError(And(ContainSubstring(want), Not(ContainSubstring(canary)))))
			changedNothing(ctx)
		},
		Entry("a blank name", `{name: "  ", value: VALUE}`, "spec.name: Name is required."),
		Entry("a name that begins with a space", `{name: " a", value: VALUE}`, "Name must not have leading or trailing whitespace."),
		Entry("a name that ends with a space that is not ASCII", `{name: "a\u00a0", value: VALUE}`, "Name must not have leading or trailing whitespace."),
		Entry("a name with a slash", `{name: a/b, value: VALUE}`, "Name must not contain /, ?, or #."),
		Entry("a name with a question mark", `{name: "a?b", value: VALUE}`, "Name must not contain /, ?, or #."),
		Entry("a name with a hash", `{name: "a#b", value: VALUE}`, "Name must not contain /, ?, or #."),
		Entry("a name of a dot", `{name: ".", value: VALUE}`, "Name must not be . or .."),
		Entry("a name of two dots", `{name: "..", value: VALUE}`, "Name must not be . or .."),
		Entry("a name with a null byte", `{name: "a\0b", value: VALUE}`, "Name must not contain null bytes."),
		Entry("a name of 254 bytes", `{name: "LONG254", value: VALUE}`, "Name must not exceed 253 bytes."),
		Entry("a name that is a number", `{name: 5, value: VALUE}`, "cannot be read: check the types of its fields"),

		Entry("a value that is empty", `{value: ""}`, "spec.value: Value is required."),
		Entry("a value with a null byte", `{value: "hunter2-canary\0"}`, "spec.value: secret value must not contain null bytes"),
		Entry("a value of 24577 bytes", `{value: "LONG24577"}`, "spec.value: secret value must not exceed 24576 bytes"),
		Entry("a value that is a number", `{value: 12345678}`, "spec.value: value must be a string: put it in quotes"),
		Entry("a value that is true", `{value: true}`, "spec.value: value must be a string: put it in quotes"),
		Entry("a value that is an object", `{value: {a: VALUE}}`, "spec.value: value must be a string: put it in quotes"),
		Entry("a value that is a list", `{value: [VALUE]}`, "spec.value: value must be a string: put it in quotes"),
		Entry("a value that is null", `{value: null}`, "exactly one of value, sealedValue and valueFrom must be set"),
		Entry("no value", `{envName: A}`, "exactly one of value, sealedValue and valueFrom must be set"),
		Entry("a value and a source", `{value: VALUE, valueFrom: {secretKeyRef: {name: a, key: b}}}`, "set only one of value, sealedValue and valueFrom"),
		Entry("a value and a sealed one", `{value: VALUE, sealedValue: SEALED}`, "set only one of value, sealedValue and valueFrom"),
		Entry("a sealed value and a source", `{sealedValue: SEALED, valueFrom: {secretKeyRef: {name: a, key: b}}}`, "set only one of value, sealedValue and valueFrom"),

		Entry("a variable of 257 bytes", `{envName: "LONG257", value: VALUE}`, "spec.envName: environment variable name must not exceed 256 bytes"),
		Entry("a variable that begins with a digit", `{envName: 1A, value: VALUE}`, "spec.envName: must start with a letter or underscore"),
		Entry("a variable with a dash", `{envName: A-B, value: VALUE}`, "spec.envName: must start with a letter or underscore"),
		Entry("a variable with a line break", `{envName: "A\n", value: VALUE}`, "spec.envName: must start with a letter or underscore"),
		Entry("a reserved variable", `{envName: PATH, value: VALUE}`, "spec.envName: PATH is a reserved environment variable name"),
		Entry("a reserved variable in lower case", `{envName: home, value: VALUE}`, "spec.envName: HOME is a reserved environment variable name"),
		Entry("a variable of Coder's", `{envName: Coder_Agent, value: VALUE}`, "environment variable names starting with CODER_ are reserved for internal use"),
		Entry("a variable of git's", `{envName: GIT_SSH_COMMAND, value: VALUE}`, "environment variables starting with GIT_ are reserved"),
		Entry("a variable of the locale", `{envName: LC_ALL, value: VALUE}`, "environment variables starting with LC_ are reserved"),
		Entry("a variable of the linker", `{envName: ld_preload, value: VALUE}`, "environment variables starting with LD_ are reserved"),

		Entry("a file that is relative", `{filePath: a/b, value: VALUE}`, "spec.filePath: file path must start with ~/ or /"),
		Entry("a file in somebody else's home", `{filePath: ~bob/b, value: VALUE}`, "spec.filePath: file path must start with ~/ or /"),
		Entry("a file with a null byte", `{filePath: "/a\0", value: VALUE}`, "spec.filePath: file path must not contain null bytes"),
		Entry("a file of 4097 bytes", `{filePath: "/LONG4096", value: VALUE}`, "spec.filePath: file path must not exceed 4096 bytes"),
		Entry("a description with a null byte", `{description: "\0", value: VALUE}`, "spec.description: description must not contain null bytes"),
		Entry("a description of 4097 bytes", `{description: "LONG4097", value: VALUE}`, "spec.description: description must not exceed 4096 bytes"),
		Entry("an enabled that is a text", `{enabled: "yes", value: VALUE}`, "cannot be read: check the types of its fields"),
		Entry("everything wrong, told at once", `{name: a/b, envName: PATH, filePath: x, value: ""}`,
			"spec.value: Value is required.; spec.name: Name must not contain /, ?, or #.; spec.envName: PATH is a reserved environment variable name; spec.filePath: file path must start with ~/ or /"),

		Entry("a plain value in the place of a sealed one", `{sealedValue: VALUE}`, "spec.sealedValue: not a sealed value: it must begin with lk1."),
		Entry("a sealed value of another version", `{sealedValue: lk2.x}`, "sealed value of an unknown version"),
		Entry("a sealed value cut short", `{sealedValue: CUT}`, "spec.sealedValue: "),
		Entry("a sealed value that was altered", `{sealedValue: ALTERED}`, "it does not open for UserSecret "),
		Entry("a sealed value of another object", `{sealedValue: OTHER-NAME}`, "it was sealed for another object"),
		Entry("a sealed value of another namespace", `{sealedValue: OTHER-NAMESPACE}`, "it was sealed for another object"),
		Entry("a sealed value of another kind", `{sealedValue: OTHER-KIND}`, "it was sealed for another object"),
		Entry("a sealed value of a key that there is not", `{sealedValue: UNKNOWN-KEY}`, "its sealing key does not exist here"),
		Entry("a sealed value that breaks the rules", `{sealedValue: SEALED-NULL}`, "was altered, or holds what does not match the rules of its fields"),

		Entry("a source without a key", `{valueFrom: {secretKeyRef: {name: a}}}`, "spec.valueFrom.secretKeyRef.key"),
		Entry("a source without a name", `{valueFrom: {secretKeyRef: {name: "", key: a}}}`, "spec.valueFrom.secretKeyRef.name"),
		Entry("a source that is a bundle", `{valueFrom: {secretKeyRef: {name: latchkey-agent-env, key: a}}}`, "a bundle that Latchkey makes cannot be a source"),

		Entry("the name of another", `{name: good, value: VALUE}`, `spec.name: name already in use: "good" is claimed by good; choose another, or delete that one first`),
		Entry("the variable of another", `{envName: GOOD, value: VALUE}`, `spec.envName: environment variable already in use: "GOOD" is claimed by good`),
		Entry("the file of another", `{filePath: ~/good, value: VALUE}`, `spec.filePath: file path already in use: "~/good" is claimed by good`),
	)

	DescribeTable("is refused on change with a message that says why, and changes nothing",
		func(ctx SpecContext, spec, want string) {
			changed := object("UserSecret", tenant, "good", expand(ctx, tenant, spec))
			changed.SetResourceVersion(before[tenant+"/good"])
			err := api.Update(ctx, changed)
			Expect(err).To(MatchError(And(ContainSubstring(want), Not(ContainSubstring(canary)))))
			changedNothing(ctx)
		},
		Entry("another name", `{name: renamed, value: VALUE}`, "name is immutable: delete this UserSecret and create another"),
		Entry("a reserved variable", `{name: good, envName: PATH, value: VALUE}`, "PATH is a reserved environment variable name"),
		Entry("a value that is a number", `{name: good, value: 12345678}`, "value must be a string: put it in quotes"),
		Entry("a value of 24577 bytes", `{name: good, value: "LONG24577"}`, "secret value must not exceed 24576 bytes"),
		Entry("no value any more", `{name: good, envName: GOOD}`, "exactly one of value, sealedValue and valueFrom must be set"),
		Entry("a sealed value of another object", `{name: good, sealedValue: OTHER-NAMESPACE}`, "it was sealed for another object"),
	)

	It("without a name is told to have one", func(ctx SpecContext) {
		nameless := object("UserSecret", tenant, "", `{value: VALUE}`)
		nameless.SetGenerateName("generated-")
		Expect(api.Create(ctx, nameless)).To(MatchError(And(
			ContainSubstring("metadata.generateName: "), ContainSubstring("set metadata.name instead"))))
		changedNothing(ctx)
	})
})

// good is a UserSecret that others can collide with.
func good(tenant string) *unstructured.Unstructured {
	return object("UserSecret", tenant, "good", `{name: good, envName: GOOD, filePath: ~/good, value: `+canary+`}`)
}

// object returns an object whose spec may be anything.
func object(kind, namespace, name, spec string) *unstructured.Unstructured {
	GinkgoHelper()
	o := &unstructured.Unstructured{}
	o.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(kind))
	o.SetNamespace(namespace)
	o.SetName(name)
	var content map[string]any
	Expect(yaml.Unmarshal([]byte(spec), &content)).To(Succeed(), spec)
	o.Object["spec"] = content
	return o
}

// expand fills in what a table of specs cannot hold.
func expand(ctx context.Context, tenant, spec string) string {
	GinkgoHelper()
	var pairs []string
	for _, n := range []int{127, 254, 256, 257, 2048, 2049, 4096, 4097, 24577, 65535} {
		pairs = append(pairs,
			fmt.Sprintf("LONG%d", n), strings.Repeat("a", n),
			fmt.Sprintf("UMLAUTS%d", n), strings.Repeat("ä", n))
	}
	sealed := func(kind, namespace, name, value string) func() string {
		return func() string { return sealFor(ctx, kind, namespace, name, value) }
	}
	good := sealed("UserSecret", tenant, "bad", canary)
	for _, p := range []struct {
		word string
		text func() string
	}{
		{"SEALED-NULL", sealed("UserSecret", tenant, "bad", canary+"\x00")},
		{"SEALED", good},
		{"OTHER-NAMESPACE", sealed("UserSecret", "other", "bad", canary)},
		{"OTHER-NAME", sealed("UserSecret", tenant, "other", canary)},
		{"OTHER-KIND", sealed("AgentSecret", tenant, "bad", canary)},
		{"CUT", func() string { s := good(); return s[:len(s)-1] }},
		{"ALTERED", func() string { return alter(good()) }},
		{"UNKNOWN-KEY", func() string { return "lk1.0123456789abcdef" + good()[len("lk1.0123456789abcdef"):] }},
	} {
		if strings.Contains(spec, p.word) { // sealing costs
			pairs = append(pairs, p.word, p.text())
		}
	}
	// In one go: a sealed text has any three letters, one time in a hundred or so.
	return strings.NewReplacer(append(pairs, "VALUE", canary)...).Replace(spec)
}

// sealFor seals a value for a UserSecret, or for an AgentSecret whose path is its name
// and whose type is Str.
func sealFor(ctx context.Context, kind, namespace, name, value string) string {
	GinkgoHelper()
	if kind == "AgentSecret" {
		return sealAgent(ctx, framework.AgentSecret(namespace, name, text, "", name), value)
	}
	sealed, err := cluster.Seal(ctx, binding.User(namespace, name), value)
	Expect(err).NotTo(HaveOccurred())
	return sealed
}

// sealAgent seals a value, which is JSON, for an AgentSecret.
func sealAgent(ctx context.Context, a *v1alpha1.AgentSecret, value string) string {
	GinkgoHelper()
	at, err := binding.OfAgent(a)
	Expect(err).NotTo(HaveOccurred())
	sealed, err := cluster.Seal(ctx, at, value)
	Expect(err).NotTo(HaveOccurred())
	return sealed
}

// alter changes one bit in the middle of a sealed value.
func alter(sealed string) string {
	b := []byte(sealed)
	i := len(b) / 2
	if b[i] == 'A' {
		b[i] = 'B'
	} else {
		b[i] = 'A'
	}
	return string(b)
}
