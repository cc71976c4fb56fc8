// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package attacks

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/test/framework"
)

const annotated = "canary-mockingbird"

// Someone with a backup of etcd, or who may read objects and no Secrets, looks for values in
// all that people and tools write beside them.
var _ = Describe("Plain text beside a value", func() {
	manifest := func(kind, value string) string {
		return fmt.Sprintf(`{"apiVersion":"latchkey.dev/v1alpha1","kind":%q,"metadata":{"name":"s","annotations":{"team":"a"}},"spec":{"envName":"TOKEN","value":%q}}`, kind, value)
	}
	quote := func(text string) string {
		b, err := json.Marshal(text)
		Expect(err).NotTo(HaveOccurred())
		return string(b)
	}
	const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"
	const misspelt = `{"apiVersion":"latchkey.dev/v1alpha1","kind":"UserSecret","spec":{"Value":"` + annotated + `"},"stringData":{"a":"` + annotated + `"}}`

	for _, kind := range []string{"UserSecret", "AgentSecret"} {
		DescribeTable("of an "+kind+" is in no annotation that is stored",
			func(ctx SpecContext, name string, text func(kind string) string) {
				tenant := oracleTenant(ctx)
				obj := annotatedObject(tenant, kind, annotated, map[string]string{name: text(kind), "team": "green"})
				Expect(api.Create(ctx, obj)).To(Succeed())
				stored := allOf(ctx, obj)
				Expect(stored).NotTo(ContainSubstring("mockingbird"))
				Expect(stored).NotTo(ContainSubstring(base64.StdEncoding.EncodeToString([]byte(annotated))))
				Expect(stored).To(ContainSubstring(`"team":"green"`), "control: what holds no value stays")
				bundle := map[string]string{"UserSecret": v1alpha1.BundleUserEnv, "AgentSecret": v1alpha1.BundleAgentEnv}[kind]
				Eventually(ctx, func(g Gomega) {
					secret := framework.Secret(tenant, bundle, nil)
					g.Expect(api.Get(ctx, client.ObjectKeyFromObject(secret), secret)).To(Succeed())
					g.Expect(string(secret.Data["TOKEN"])).To(Equal(annotated), "control: the value arrived")
				}).Should(Succeed())
			},
			Entry("of kubectl", lastApplied, func(kind string) string { return manifest(kind, annotated) }),
			Entry("of kapp", "kapp.k14s.io/original", func(kind string) string { return manifest(kind, annotated) }),
			Entry("of a tool that nobody knows", "tool.example/copy", func(kind string) string { return manifest(kind, annotated) }),
			Entry("as YAML", "tool.example/copy", func(string) string { return "kind: X\nspec:\n  value: |\n    " + annotated + "\n" }),
			Entry("escaped in JSON", "tool.example/copy", func(kind string) string { return quote(quote(manifest(kind, annotated))) }),
			Entry("in base64", "tool.example/copy", func(kind string) string {
				return base64.StdEncoding.EncodeToString([]byte(manifest(kind, annotated)))
			}),
			Entry("alone", "note", func(string) string { return annotated }),
			Entry("with a misspelt field", lastApplied, func(string) string { return misspelt }),
			Entry("with a misspelt field of another tool", "kapp.k14s.io/original", func(string) string { return misspelt }),
			Entry("with a member twice", lastApplied, func(kind string) string {
				return strings.Replace(manifest(kind, "x"), `"spec":{`, `"spec":{"description":"`+annotated+`","description":"y",`, 1)
			}),
		)

		DescribeTable("of an "+kind+" is refused in what people write",
			func(ctx SpecContext, edit func(*unstructured.Unstructured)) {
				tenant := oracleTenant(ctx)
				obj := annotatedObject(tenant, kind, annotated, nil)
				edit(obj)
				err := api.Create(ctx, obj)
				Expect(apierrors.IsInvalid(err)).To(BeTrue(), "%v", err)
				Expect(err).To(MatchError(And(ContainSubstring("it holds the value"), Not(ContainSubstring(annotated)))))
				obj = annotatedObject(tenant, kind, "another-7742", nil)
				edit(obj)
				Expect(api.Create(ctx, obj)).To(Succeed(), "control: beside another value it is text")
			},
			Entry("a label", func(o *unstructured.Unstructured) { o.SetLabels(map[string]string{"a": annotated}) }),
			Entry("the name of an annotation", func(o *unstructured.Unstructured) { o.SetAnnotations(map[string]string{annotated: "x"}) }),
			Entry("the name of a label", func(o *unstructured.Unstructured) { o.SetLabels(map[string]string{annotated: "x"}) }),
			Entry("a file's path", func(o *unstructured.Unstructured) {
				path := "a/" + annotated
				if kind == "UserSecret" {
					path = "~/" + path
				}
				Expect(unstructured.SetNestedField(o.Object, path, "spec", "filePath")).To(Succeed())
			}),
			Entry("its own name", func(o *unstructured.Unstructured) { o.SetName("a-" + annotated) }),
		)
	}

	It("is found in the texts of a JSON value too, and short words are left alone", func(ctx SpecContext) {
		tenant := oracleTenant(ctx)
		obj := annotatedObject(tenant, "AgentSecret", "", map[string]string{"a": "user " + annotated, "b": "production, true and 1"})
		spec := map[string]any{
			"path": []any{"db"},
			"secretType": map[string]any{"type": "Record", "fields": []any{
				map[string]any{"name": "password", "typ": map[string]any{"type": "Str"}}, map[string]any{"name": "stage", "typ": map[string]any{"type": "Str"}},
			}},
			"value": map[string]any{"password": annotated, "stage": "production"},
		}
		Expect(unstructured.SetNestedMap(obj.Object, spec, "spec")).To(Succeed())
		Expect(api.Create(ctx, obj)).To(Succeed())
		Expect(allOf(ctx, obj)).To(And(Not(ContainSubstring("mockingbird")), ContainSubstring("production, true and 1")))
	})

	It("that is sealed already is taken out for a reader, and tells a manager nothing", func(ctx SpecContext) {
		tenant := oracleTenant(ctx)
		manager := oracleCaller(ctx, tenant, "manager", oracleManages)
		reader := oracleCaller(ctx, tenant, "reader", append([]rbacv1.PolicyRule{
			{APIGroups: []string{"latchkey.dev"}, Resources: []string{"agentsecrets/value"}, Verbs: []string{"get"}},
			{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get"}},
		}, oracleManages...))
		for _, kind := range []string{"UserSecret", "AgentSecret"} {
			obj := annotatedObject(tenant, kind, annotated, nil)
			Expect(api.Create(ctx, obj)).To(Succeed())
			note := func(as client.Client, text string, opts ...client.PatchOption) string {
				answer := obj.DeepCopy()
				patch := fmt.Appendf(nil, `{"metadata":{"annotations":{"note":%q}}}`, text)
				Expect(as.Patch(ctx, answer, client.RawPatch(types.MergePatchType, patch), opts...)).To(Succeed())
				return answer.GetAnnotations()["note"]
			}
			guesses := annotated + " or canary-0000"
			Expect(note(manager, guesses, client.DryRunAll)).To(Equal(guesses), "a guess among others stays as any text does")
			Expect(note(manager, "canary-0001 or canary-0000", client.DryRunAll)).To(Equal("canary-0001 or canary-0000"))
			Expect(note(reader, "canary-0000")).To(Equal("canary-0000"), "control: other text stays")
			Expect(note(reader, annotated)).To(BeEmpty())
			Expect(allOf(ctx, obj)).NotTo(ContainSubstring("mockingbird"))
		}
	})
})

// annotatedObject returns an object whose value becomes variable TOKEN.
func annotatedObject(tenant, kind, value string, annotations map[string]string) *unstructured.Unstructured {
	spec := map[string]any{"envName": "TOKEN", "value": value}
	if kind == "AgentSecret" {
		spec["path"], spec["secretType"] = []any{"s"}, map[string]any{"type": "Str"}
	}
	obj := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "latchkey.dev/v1alpha1", "kind": kind, "spec": spec,
		"metadata": map[string]any{"namespace": tenant, "name": "s"},
	}}
	if annotations != nil {
		obj.SetAnnotations(annotations)
	}
	return obj
}

// allOf returns everything that is stored of an object.
func allOf(ctx context.Context, obj *unstructured.Unstructured) string {
	GinkgoHelper()
	stored := obj.DeepCopy()
	Expect(api.Get(ctx, client.ObjectKeyFromObject(obj), stored)).To(Succeed())
	raw, err := json.Marshal(stored)
	Expect(err).NotTo(HaveOccurred())
	return string(raw)
}
