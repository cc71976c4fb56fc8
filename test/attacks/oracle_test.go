// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package attacks

import (
	"context"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/binding"
	"github.com/latchkey-dev/latchkey/test/framework"
)

const (
	// oracleValue is what the manager wants to know, and a pin of four digits.
	oracleValue = "canary-4711"
	oracleStr   = `{"type":"Str"}`
)

// A manager may create and change secrets and may not read their values. They know the
// public key and every ciphertext.
var _ = Describe("A manager without the right to see values", Ordered, func() {
	var (
		tenant          string
		manager, reader client.Client
		agent           *v1alpha1.AgentSecret
		user            *v1alpha1.UserSecret
	)

	BeforeAll(func(ctx SpecContext) {
		tenant = oracleTenant(ctx)
		manager = oracleCaller(ctx, tenant, "manager", oracleManages)
		reader = oracleCaller(ctx, tenant, "reader", append([]rbacv1.PolicyRule{
			{APIGroups: []string{"latchkey.dev"}, Resources: []string{"agentsecrets/value"}, Verbs: []string{"get"}},
			{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get"}},
		}, oracleManages...))
		agent = framework.AgentSecret(tenant, "pin", oracleStr, `"`+oracleValue+`"`, "pin")
		user = framework.UserSecret(tenant, "pin", v1alpha1.UserSecretSpec{EnvName: "PIN", Value: v1alpha1.NewWriteOnly([]byte(`"` + oracleValue + `"`))})
		Expect(api.Create(ctx, agent)).To(Succeed())
		Expect(api.Create(ctx, user)).To(Succeed())
	})

	// echo sends a guess as a dry run and reports whether the answer has the stored
	// ciphertext.
	echo := func(ctx context.Context, as client.Client, obj client.Object, field, guess string, opts ...client.PatchOption) bool {
		GinkgoHelper()
		stored := obj.DeepCopyObject().(client.Object) //nolint:forcetypeassert // a copy is of the same type
		Expect(api.Get(ctx, client.ObjectKeyFromObject(obj), stored)).To(Succeed())
		answer := stored.DeepCopyObject().(client.Object) //nolint:forcetypeassert // a copy is of the same type
		patch := fmt.Appendf(nil, `{"spec":{%q:%q}}`, field, guess)
		Expect(as.Patch(ctx, answer, client.RawPatch(types.MergePatchType, patch), append(opts, client.DryRunAll)...)).To(Succeed())
		return oracleSealed(answer) == oracleSealed(stored)
	}

	for _, kind := range []string{"AgentSecret", "UserSecret"} {
		object := func() client.Object {
			if kind == "AgentSecret" {
				return agent
			}
			return user
		}
		It("gets the same answer to every dry run of a value of an "+kind, func(ctx SpecContext) {
			Expect(echo(ctx, reader, object(), "value", oracleValue)).To(BeTrue(), "control: to a reader, the same value is no change")
			Expect(echo(ctx, reader, object(), "value", oracleValue+"x")).To(BeFalse(), "control: another value is one")
			Expect(echo(ctx, manager, object(), "value", oracleValue)).To(BeFalse())
			Expect(echo(ctx, manager, object(), "value", oracleValue+"x")).To(BeFalse())
		})

		It("gets the same answer to every dry run of a guess that they sealed for an "+kind, func(ctx SpecContext) {
			sealed := func(value string) string {
				at := binding.User(tenant, "pin")
				if kind == "AgentSecret" {
					var err error
					at, err = binding.OfAgent(agent)
					Expect(err).NotTo(HaveOccurred())
					value = `"` + value + `"`
				}
				text, err := stack.Seal(ctx, at, value)
				Expect(err).NotTo(HaveOccurred())
				return text
			}
			Expect(echo(ctx, reader, object(), "sealedValue", sealed(oracleValue))).To(BeTrue(), "control: to a reader, the same value is no change")
			Expect(echo(ctx, manager, object(), "sealedValue", sealed(oracleValue))).To(BeFalse())
			Expect(echo(ctx, manager, object(), "sealedValue", sealed(oracleValue+"x"))).To(BeFalse())
		})

		It("gets the same answer to every dry run of a guess that they sealed with an older key for an "+kind, func(ctx SpecContext) {
			older, err := stack.OlderKey(ctx)
			Expect(err).NotTo(HaveOccurred())
			sealed := func(value string) string {
				at := binding.User(tenant, "pin")
				if kind == "AgentSecret" {
					at, err = binding.OfAgent(agent)
					Expect(err).NotTo(HaveOccurred())
					value = `"` + value + `"`
				}
				text, err := older(at, value)
				Expect(err).NotTo(HaveOccurred())
				return text
			}
			Expect(echo(ctx, reader, object(), "sealedValue", sealed(oracleValue))).To(BeTrue(), "control: to a reader, the same value is no change")
			Expect(echo(ctx, reader, object(), "sealedValue", sealed(oracleValue+"x"))).To(BeFalse(), "control: another value is one")
			Expect(echo(ctx, manager, object(), "sealedValue", sealed(oracleValue))).To(BeFalse())
			Expect(echo(ctx, manager, object(), "sealedValue", sealed(oracleValue+"x"))).To(BeFalse())
		})

		It("gets a ciphertext of an "+kind+" sealed again by a dry run, and learns nothing but that it opens for its object", func(ctx SpecContext) {
			older, err := stack.OlderKey(ctx)
			Expect(err).NotTo(HaveOccurred())
			known, err := older(binding.User(tenant, "pin"), oracleValue)
			if kind == "AgentSecret" {
				at, berr := binding.OfAgent(agent)
				Expect(berr).NotTo(HaveOccurred())
				known, err = older(at, `"`+oracleValue+`"`)
			}
			Expect(err).NotTo(HaveOccurred())
			again := func(obj client.Object, text string) (string, error) {
				answer := obj.DeepCopyObject().(client.Object) //nolint:forcetypeassert // a copy is of the same type
				patch := fmt.Appendf(nil, `{"spec":{"sealedValue":%q}}`, text)
				err := manager.Patch(ctx, answer, client.RawPatch(types.MergePatchType, patch), client.DryRunAll)
				return oracleSealed(answer), err
			}
			first, err := again(object(), known)
			Expect(err).NotTo(HaveOccurred())
			second, err := again(object(), known)
			Expect(err).NotTo(HaveOccurred())
			Expect(first).NotTo(Equal(second), "no two sealings are alike")
			Expect(first).To(HaveLen(len(known)))
			_, err = again(object(), flipOf(known))
			Expect(err).To(MatchError(ContainSubstring("it does not open for "+kind)), "control: what does not open is refused")

			other := object().DeepCopyObject().(client.Object) //nolint:forcetypeassert // a copy is of the same type
			other.SetName("elsewhere")
			other.SetResourceVersion("")
			other.SetUID("")
			if u, ok := other.(*v1alpha1.UserSecret); ok {
				u.Spec = v1alpha1.UserSecretSpec{SealedValue: first}
			} else if a, ok := other.(*v1alpha1.AgentSecret); ok {
				a.Spec.Path, a.Spec.SealedValue = []string{"elsewhere"}, first
			}
			Expect(manager.Create(ctx, other, client.DryRunAll)).To(MatchError(ContainSubstring("it does not open for "+kind)), "it is bound as it was")
		})
	}

	It("changes nothing by applying for real what is there, and replaces it by a wrong guess", func(ctx SpecContext) {
		before := agent.DeepCopy()
		Expect(api.Get(ctx, client.ObjectKeyFromObject(agent), before)).To(Succeed())
		Expect(manager.Patch(ctx, before.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(`{"spec":{"value":"`+oracleValue+`"}}`)))).To(Succeed())
		after := agent.DeepCopy()
		Expect(api.Get(ctx, client.ObjectKeyFromObject(agent), after)).To(Succeed())
		Expect(after.Spec).To(Equal(before.Spec), "an unchanged manifest changes nothing")

		Expect(manager.Patch(ctx, after.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(`{"spec":{"value":"`+oracleValue+`x"}}`)))).To(Succeed())
		Expect(api.Get(ctx, client.ObjectKeyFromObject(agent), after)).To(Succeed())
		Expect(after.Spec.Revision).To(Equal(before.Spec.Revision+1), "a guess is loud")
		Expect(manager.Patch(ctx, after.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(`{"spec":{"value":"`+oracleValue+`"}}`)))).To(Succeed())
	})

	It("cannot ask by a type what a known ciphertext holds", func(ctx SpecContext) {
		known := agent.DeepCopy()
		Expect(manager.Get(ctx, client.ObjectKeyFromObject(agent), known)).To(Succeed())
		ask := func(name, secretType, sealed string, path ...string) error {
			a := framework.AgentSecret(tenant, name, secretType, "", path...)
			a.Spec.SealedValue = sealed
			return manager.Create(ctx, a, client.DryRunAll)
		}
		Expect(apierrors.IsAlreadyExists(ask("pin", oracleStr, known.Spec.SealedValue, "pin"))).To(BeTrue(),
			"control: under its own path and type the ciphertext opens")

		right := ask("pin", `{"type":"Enum","cases":["`+oracleValue+`"]}`, known.Spec.SealedValue, "pin")
		wrong := ask("pin", `{"type":"Enum","cases":["canary-0000"]}`, known.Spec.SealedValue, "pin")
		Expect(apierrors.IsInvalid(right)).To(BeTrue())
		Expect(right.Error()).To(ContainSubstring("it does not open for AgentSecret"))
		Expect(wrong).To(Equal(right), "no guess is told from another")
		for _, other := range []error{
			ask("pin", `{"type":"List","inner":{"type":"Chr"}}`, known.Spec.SealedValue, "pin"),
			ask("pin", oracleStr, known.Spec.SealedValue, "pin", "of"),
			ask("pin", oracleStr, flipOf(known.Spec.SealedValue), "pin"),
		} {
			Expect(other).To(Equal(right), "one answer for what does not open and what does not match")
		}
		Expect(ask("other", oracleStr, known.Spec.SealedValue, "other")).To(MatchError(ContainSubstring("it does not open for AgentSecret " + tenant + "/other")))
	})

	It("gets the answer for what does not open where a value is sealed for a type that it does not match", func(ctx SpecContext) {
		a := framework.AgentSecret(tenant, "typed", `{"type":"U8"}`, "", "typed")
		at, err := binding.OfAgent(a)
		Expect(err).NotTo(HaveOccurred())
		a.Spec.SealedValue, err = stack.Seal(ctx, at, `"`+oracleValue+`"`)
		Expect(err).NotTo(HaveOccurred())
		mismatch := manager.Create(ctx, a.DeepCopy(), client.DryRunAll)
		a.Spec.SealedValue = flipOf(a.Spec.SealedValue)
		Expect(manager.Create(ctx, a.DeepCopy(), client.DryRunAll)).To(Equal(mismatch))
		Expect(mismatch).To(MatchError(ContainSubstring("it does not open for AgentSecret")))
		a.Spec.SealedValue, err = stack.Seal(ctx, at, `8`)
		Expect(err).NotTo(HaveOccurred())
		Expect(manager.Create(ctx, a.DeepCopy(), client.DryRunAll)).To(Succeed(), "control: what matches is taken")
	})
})

// Someone who gets the name of a deleted tenant's namespace finds its ciphertexts in Git.
var _ = Describe("A namespace that was made again", func() {
	It("opens no ciphertext that was sealed for the UID of the one before", func(ctx SpecContext) {
		tenant := oracleTenant(ctx)
		ns := framework.Namespace(tenant)
		Expect(api.Get(ctx, client.ObjectKeyFromObject(ns), ns)).To(Succeed())
		for _, kind := range []string{"UserSecret", "AgentSecret"} {
			create := func(uid string) error {
				agent := framework.AgentSecret(tenant, "s", oracleStr, "", "s")
				at, value := binding.User(tenant, "s"), oracleValue
				if kind == "AgentSecret" {
					var err error
					at, err = binding.OfAgent(agent)
					Expect(err).NotTo(HaveOccurred())
					value = `"` + value + `"`
				}
				at.NamespaceUID = uid
				text, err := stack.Seal(ctx, at, value)
				Expect(err).NotTo(HaveOccurred())
				if agent.Spec.SealedValue = text; kind == "AgentSecret" {
					return api.Create(ctx, agent)
				}
				return api.Create(ctx, framework.UserSecret(tenant, "s", v1alpha1.UserSecretSpec{EnvName: "S", SealedValue: text}))
			}
			Expect(create("8d1a3c52-6c1e-4b38-9d55-0f6d0c1e7a11")).To(MatchError(ContainSubstring("it does not open for " + kind)))
			Expect(create(string(ns.UID))).To(Succeed(), "control: in the namespace that it was sealed for it opens")
		}
		Eventually(ctx, func(g Gomega) {
			for _, name := range []string{v1alpha1.BundleUserEnv, v1alpha1.BundleAgentEnv} {
				secret := framework.Secret(tenant, name, nil)
				g.Expect(api.Get(ctx, client.ObjectKeyFromObject(secret), secret)).To(Succeed())
				g.Expect(string(secret.Data["S"])).To(Equal(oracleValue))
			}
		}).Should(Succeed(), "control: what was stored is projected")
	})
})

// oracleManages are the rights of a manager.
var oracleManages = []rbacv1.PolicyRule{{
	APIGroups: []string{"latchkey.dev"}, Resources: []string{"agentsecrets", "usersecrets"},
	Verbs: []string{"get", "list", "watch", "create", "update", "patch", "delete"},
}}

// oracleCaller returns a client of a user with some rights in a tenant.
func oracleCaller(ctx context.Context, tenant, name string, rules []rbacv1.PolicyRule) client.Client {
	GinkgoHelper()
	name = tenant + "-" + name
	meta := metav1.ObjectMeta{Namespace: tenant, Name: name}
	Expect(api.Create(ctx, &rbacv1.Role{ObjectMeta: meta, Rules: rules})).To(Succeed())
	Expect(api.Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: meta,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: name}},
	})).To(Succeed())
	as, err := stack.AsUser(name)
	Expect(err).NotTo(HaveOccurred())
	return as
}

// oracleTenant makes a namespace.
func oracleTenant(ctx context.Context) string {
	GinkgoHelper()
	ns := framework.Namespace("")
	ns.GenerateName = "oracle-"
	Expect(api.Create(ctx, ns)).To(Succeed())
	return ns.Name
}

func oracleSealed(obj client.Object) string {
	if a, ok := obj.(*v1alpha1.AgentSecret); ok {
		return a.Spec.SealedValue
	}
	u, _ := obj.(*v1alpha1.UserSecret)
	return u.Spec.SealedValue
}

// flipOf changes one bit in the middle of a sealed value.
func flipOf(sealed string) string {
	i := len(sealed) / 2
	flipped := "A"
	if strings.HasPrefix(sealed[i:], flipped) {
		flipped = "B"
	}
	return sealed[:i] + flipped + sealed[i+1:]
}
