// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/binding"
	"github.com/latchkey-dev/latchkey/internal/seal"
	"github.com/latchkey-dev/latchkey/test/framework"
)

// ways to apply a manifest.
var ways = map[string][]string{
	"kubectl apply":               nil,
	"kubectl apply --server-side": {"--server-side"},
}

var _ = Describe("Applying a manifest again", func() {
	for way, flags := range ways {
		DescribeTable("with "+way+" changes nothing",
			func(ctx SpecContext, manifestOf func(tenant string) string, obj func(tenant string) client.Object) {
				tenant := newTenant(ctx)
				create(ctx, framework.Secret(tenant, "source", values{"key": canary}))
				apply(ctx, manifestOf(tenant), flags...)
				o := obj(tenant)
				Eventually(ctx, condition(o)).Should(Equal("True Projected"))
				before := versions(ctx, tenant)
				Expect(before).To(HaveKey(tenant + "/" + o.GetName()))
				apply(ctx, manifestOf(tenant), flags...)
				Expect(versions(ctx, tenant)).To(Equal(before), "a second time")
				apply(ctx, manifestOf(tenant), append([]string{"--dry-run=server"}, flags...)...)
				apply(ctx, manifestOf(tenant), flags...)
				Expect(versions(ctx, tenant)).To(Equal(before), "a third time")
			},
			Entry("a UserSecret with a value",
				func(tenant string) string {
					return userManifest(tenant, "token", "envName: TOKEN\nfilePath: ~/token\nvalue: "+canary)
				},
				func(tenant string) client.Object { return userSecret(tenant, "token") }),
			Entry("a UserSecret that takes its value from a Secret",
				func(tenant string) string {
					return userManifest(tenant, "token", "envName: TOKEN\nvalueFrom: {secretKeyRef: {name: source, key: key}}")
				},
				func(tenant string) client.Object { return userSecret(tenant, "token") }),
			Entry("an AgentSecret of a record with a path that was made canonical",
				func(tenant string) string {
					return agentManifest(tenant, "record", "path: [x_y_z, DB_Password]\n"+
						"secretType: {type: Record, fields: [{name: a, typ: {type: Str}}, {name: b, typ: {type: U8}}]}\n"+
						"value: {a: "+canary+", b: 1.5}")
				},
				func(tenant string) client.Object { return agentSecret(tenant, "record") }),
		)

		DescribeTable("with "+way+" and a sealed value of before a rotation stores it with the newest key, and changes nothing from then on",
			func(ctx SpecContext, kind string) {
				tenant := newTenant(ctx)
				older, err := cluster.OlderKey(ctx)
				Expect(err).NotTo(HaveOccurred())
				o, manifest := olderManifest(tenant, kind, older)
				apply(ctx, manifest, flags...)
				Eventually(ctx, condition(o)).Should(Equal("True Projected"))
				stored := sealedValueOf(o)
				Expect(stored).To(HavePrefix("lk1." + newestKey(ctx) + "."))
				before := versions(ctx, tenant)
				apply(ctx, manifest, append([]string{"--dry-run=server"}, flags...)...)
				apply(ctx, manifest, flags...)
				apply(ctx, manifest, flags...)
				Expect(versions(ctx, tenant)).To(Equal(before))
				Expect(api.Get(ctx, key(o), o)).To(Succeed())
				Expect(sealedValueOf(o)).To(Equal(stored))
				for _, m := range o.GetManagedFields() {
					Expect(string(m.FieldsV1.GetRawBytes())).NotTo(ContainSubstring("sealedValue"), "nobody owns it")
				}
			},
			Entry("of a UserSecret", "UserSecret"),
			Entry("of an AgentSecret", "AgentSecret"),
		)

		It("with "+way+" and another value changes the value alone", func(ctx SpecContext) {
			tenant := newTenant(ctx)
			apply(ctx, userManifest(tenant, "other", "envName: OTHER\nvalue: "+canary+"-other")+
				userManifest(tenant, "token", "envName: TOKEN\nfilePath: ~/token\nvalue: "+canary+"-1"), flags...)
			u := userSecret(tenant, "token")
			Eventually(ctx, condition(u)).Should(Equal("True Projected"))
			Eventually(ctx, condition(userSecret(tenant, "other"))).Should(Equal("True Projected"))
			before, was := versions(ctx, tenant), u.DeepCopy()

			apply(ctx, userManifest(tenant, "other", "envName: OTHER\nvalue: "+canary+"-other")+
				userManifest(tenant, "token", "envName: TOKEN\nfilePath: ~/token\nvalue: "+canary+"-2"), flags...)
			Eventually(ctx, data(tenant, v1alpha1.BundleUserEnv)).Should(Equal(values{"TOKEN": canary + "-2", "OTHER": canary + "-other"}))
			Eventually(ctx, data(tenant, v1alpha1.BundleUserFiles)).Should(Equal(values{"token": canary + "-2"}))
			Eventually(ctx, condition(u)).Should(Equal("True Projected"))
			Expect(versions(ctx, tenant)).To(HaveKeyWithValue(tenant+"/other", before[tenant+"/other"]))
			Expect(u.Spec.SealedValue).NotTo(Equal(was.Spec.SealedValue))
			u.Spec.SealedValue = was.Spec.SealedValue
			Expect(u.Spec).To(Equal(was.Spec))
			Expect(u.Status.Env).To(Equal(was.Status.Env))
		})

		It("with "+way+" and another source switches to that one, and back", func(ctx SpecContext) {
			tenant := newTenant(ctx)
			create(ctx, framework.Secret(tenant, "source", values{"key": canary + "-from"}))
			plain := userManifest(tenant, "token", "envName: TOKEN\nvalue: "+canary)
			from := userManifest(tenant, "token", "envName: TOKEN\nvalueFrom: {secretKeyRef: {name: source, key: key}}")
			apply(ctx, plain, flags...)
			Eventually(ctx, data(tenant, v1alpha1.BundleUserEnv)).Should(Equal(values{"TOKEN": canary}))
			for range 2 {
				apply(ctx, from, flags...)
				Eventually(ctx, data(tenant, v1alpha1.BundleUserEnv)).Should(Equal(values{"TOKEN": canary + "-from"}))
				Expect(specOf(ctx, tenant, "token").SealedValue).To(BeEmpty())
				apply(ctx, plain, flags...)
				Eventually(ctx, data(tenant, v1alpha1.BundleUserEnv)).Should(Equal(values{"TOKEN": canary}))
				Expect(specOf(ctx, tenant, "token").ValueFrom).To(BeNil())
			}
			before := versions(ctx, tenant)
			apply(ctx, plain, flags...)
			Expect(versions(ctx, tenant)).To(HaveKeyWithValue(tenant+"/latchkey-user-env", before[tenant+"/latchkey-user-env"]))
		})

		It("with "+way+" and less in it takes away what is gone", func(ctx SpecContext) {
			tenant := newTenant(ctx)
			apply(ctx, userManifest(tenant, "token", "envName: TOKEN\nfilePath: ~/token\ndescription: d\nvalue: "+canary), flags...)
			Eventually(ctx, data(tenant, v1alpha1.BundleUserEnv)).Should(Equal(values{"TOKEN": canary}))
			apply(ctx, userManifest(tenant, "token", "filePath: ~/token\nvalue: "+canary), flags...)
			Eventually(ctx, data(tenant, v1alpha1.BundleUserEnv)).Should(BeNil())
			Expect(data(tenant, v1alpha1.BundleUserFiles)(ctx)).To(Equal(values{"token": canary}))
			spec := specOf(ctx, tenant, "token")
			Expect(spec.EnvName + spec.Description).To(BeEmpty())
			Expect(spec.Name).To(Equal("token"))
		})
	}

	It("with a sealed value of before a rotation keeps the newer one", func(ctx SpecContext) {
		tenant := newTenant(ctx)
		sealed, err := cluster.Seal(ctx, binding.User(tenant, "token"), canary)
		Expect(err).NotTo(HaveOccurred())
		again, err := cluster.Seal(ctx, binding.User(tenant, "token"), canary)
		Expect(err).NotTo(HaveOccurred())
		Expect(again).NotTo(Equal(sealed), "no two sealings are alike")
		apply(ctx, userManifest(tenant, "token", "envName: TOKEN\nsealedValue: "+sealed))
		Eventually(ctx, condition(userSecret(tenant, "token"))).Should(Equal("True Projected"))
		apply(ctx, userManifest(tenant, "token", "envName: TOKEN\nsealedValue: "+again))
		Expect(specOf(ctx, tenant, "token").SealedValue).To(Equal(sealed), "the same value of the same key stays as it was")
	})
})

// olderManifest returns an object, and a manifest of it with a value that was sealed with an
// older key.
func olderManifest(tenant, kind string, older func(seal.Context, string) (string, error)) (o client.Object, manifest string) {
	GinkgoHelper()
	if kind == "UserSecret" {
		text, err := older(binding.User(tenant, "token"), canary)
		Expect(err).NotTo(HaveOccurred())
		return userSecret(tenant, "token"), userManifest(tenant, "token", "envName: TOKEN\nsealedValue: "+text)
	}
	a := framework.AgentSecret(tenant, "token", text, "", "token")
	at, err := binding.OfAgent(a)
	Expect(err).NotTo(HaveOccurred())
	sealed, err := older(at, quoted(canary))
	Expect(err).NotTo(HaveOccurred())
	return a, agentManifest(tenant, "token", "path: [token]\nsecretType: "+text+"\nsealedValue: "+sealed)
}

func specOf(ctx context.Context, namespace, name string) v1alpha1.UserSecretSpec {
	GinkgoHelper()
	u := userSecret(namespace, name)
	Expect(api.Get(ctx, key(u), u)).To(Succeed())
	return u.Spec
}
