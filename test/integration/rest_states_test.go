// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/keyring"
	"github.com/latchkey-dev/latchkey/test/conformance"
	"github.com/latchkey-dev/latchkey/test/framework"
)

// No state of the cluster is answered as a fault of the server, 500: what passes is 503, what
// is to be changed is 409, and what is gone is 404.
var _ = Describe("The REST APIs in a cluster that is not as it should be", func() {
	const coderBody, golemBody = `{"name":"n","value":"v"}`, `{"path":["n"],"secretType":{"type":"Str"},"secretValue":"v"}`

	send := func(ctx SpecContext, f conformance.Face, a conformance.Account, method, url, body string) conformance.Answer {
		GinkgoHelper()
		got, err := f.Do(ctx, method, url, http.Header{"Authorization": {"Bearer " + a.Token}, "Content-Type": {"application/json"}}, body)
		Expect(err).NotTo(HaveOccurred())
		return got
	}

	It("answer 409 in a Namespace that is terminating, and 404 when it is gone", func(ctx SpecContext) {
		f := restFace(ctx, server)
		a := restTenant(ctx, api, f, "state-terminating")
		users, env := f.Coder+"/users/me/secrets", f.Golem+"/envs/"+a.ID+"/agent-secrets"
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: a.Namespace}}
		Expect(api.Delete(ctx, ns)).To(Succeed())
		for _, url := range []string{users, users + "/batch", env} {
			body := map[string]string{users: coderBody, users + "/batch": `{"format":"env","content":"A=1\nB=2"}`, env: golemBody}[url]
			got := send(ctx, f, a, "POST", url, body)
			Expect(got.Status).To(Equal(http.StatusConflict), "%s: %s", url, got.Body)
			Expect(string(got.Body)).To(ContainSubstring("being deleted"))
		}
		Expect(send(ctx, f, a, "GET", users, "").Status).To(Equal(http.StatusOK))

		Expect(api.Get(ctx, client.ObjectKeyFromObject(ns), ns)).To(Succeed())
		ns.Spec.Finalizers = nil
		Expect(api.SubResource("finalize").Update(ctx, ns)).To(Succeed())
		Eventually(ctx, func() []int {
			return []int{send(ctx, f, a, "POST", users, coderBody).Status, send(ctx, f, a, "POST", env, golemBody).Status}
		}).Should(Or(Equal([]int{404, 404}), Equal([]int{401, 401})), "its service account, and so the token, is gone with it")
	})

	It("answer 409 where a policy of the cluster refuses the write", func(ctx SpecContext) {
		f := restFace(ctx, server)
		a := restTenant(ctx, api, f, "state-policy")
		fail, match := admissionv1.Fail, admissionv1.Equivalent
		policy := &admissionv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: "state-policy"}, Spec: admissionv1.ValidatingAdmissionPolicySpec{
			FailurePolicy: &fail,
			MatchConstraints: &admissionv1.MatchResources{MatchPolicy: &match, ResourceRules: []admissionv1.NamedRuleWithOperations{{
				RuleWithOperations: admissionv1.RuleWithOperations{
					Operations: []admissionv1.OperationType{admissionv1.Create},
					Rule:       admissionv1.Rule{APIGroups: []string{"latchkey.dev"}, APIVersions: []string{"*"}, Resources: []string{"usersecrets", "agentsecrets"}},
				},
			}}},
			Validations: []admissionv1.Validation{{Expression: "request.namespace != 'state-policy'", Message: "canary of the policy"}},
		}}
		binding := &admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: "state-policy"}, Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: "state-policy", ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
		}}
		for _, o := range []client.Object{policy, binding} {
			Expect(api.Create(ctx, o)).To(Succeed())
			DeferCleanup(api.Delete, o)
		}
		users, env := f.Coder+"/users/me/secrets", f.Golem+"/envs/"+a.ID+"/agent-secrets"
		Eventually(ctx, func(g Gomega) { // until the policy is in force
			got := send(ctx, f, a, "POST", users, coderBody)
			send(ctx, f, a, "DELETE", users+"/n", "")
			g.Expect(got.Status).To(Equal(http.StatusConflict), "%s", got.Body)
			g.Expect(string(got.Body)).To(And(ContainSubstring("refused"), Not(ContainSubstring("canary"))))
		}).Should(Succeed())
		got := send(ctx, f, a, "POST", env, golemBody)
		Expect(got.Status).To(Equal(http.StatusConflict), "%s", got.Body)
	})

	It("answer 409 where a resource quota is used up", func(ctx SpecContext) {
		f := restFace(ctx, server)
		a := restTenant(ctx, api, f, "state-quota")
		hard, used := corev1.ResourceList{}, corev1.ResourceList{}
		for _, kind := range []string{"usersecrets", "agentsecrets"} {
			name := corev1.ResourceName("count/" + kind + ".latchkey.dev")
			hard[name], used[name] = resource.MustParse("0"), resource.MustParse("0")
		}
		quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: a.Namespace, Name: "quota"}, Spec: corev1.ResourceQuotaSpec{Hard: hard}}
		Expect(api.Create(ctx, quota)).To(Succeed())
		quota.Status = corev1.ResourceQuotaStatus{Hard: hard, Used: used} // as the quota controller would
		Expect(api.Status().Update(ctx, quota)).To(Succeed())
		users, env := f.Coder+"/users/me/secrets", f.Golem+"/envs/"+a.ID+"/agent-secrets"
		for _, create := range []struct{ url, body, undo string }{{users, coderBody, users + "/n"}, {env, golemBody, ""}} {
			Eventually(ctx, func(g Gomega) { // until the quota is in force
				got := send(ctx, f, a, "POST", create.url, create.body)
				if got.Status == http.StatusCreated {
					send(ctx, f, a, "DELETE", create.undo, "")
				}
				g.Expect(got.Status).To(Equal(http.StatusConflict), "%s", got.Body)
				g.Expect(string(got.Body)).To(ContainSubstring("quota"))
			}).Should(Succeed())
		}
		Expect(api.Delete(ctx, quota)).To(Succeed())
		Eventually(ctx, func() int { return send(ctx, f, a, "POST", users, coderBody).Status }).Should(Equal(http.StatusCreated))
	})

	It("answer 503 without a sealing key, and without the kinds", func(ctx SpecContext) {
		stack, f := ownStack(ctx)
		a := restTenant(ctx, stack.Client, f, "state-missing")
		users, env := f.Coder+"/users/me/secrets", f.Golem+"/envs/"+a.ID+"/agent-secrets"
		Expect(send(ctx, f, a, "POST", env, golemBody).Status).To(Equal(http.StatusOK))
		Expect(send(ctx, f, a, "POST", users, coderBody).Status).To(Equal(http.StatusCreated))

		_, err := stack.Controller.Stop() // it would make a new key
		Expect(err).NotTo(HaveOccurred())
		Expect(stack.Client.DeleteAllOf(ctx, &corev1.Secret{}, client.InNamespace(framework.SystemNamespace), client.HasLabels{keyring.LabelSealingKey})).To(Succeed())
		Eventually(ctx, func(g Gomega) {
			for _, got := range []conformance.Answer{
				send(ctx, f, a, "GET", env, ""), send(ctx, f, a, "POST", env, `{"path":["m"],"secretType":{"type":"Str"},"secretValue":"v"}`),
				send(ctx, f, a, "POST", users, `{"name":"m","value":"v"}`), send(ctx, f, a, "PATCH", users+"/n", `{"value":"w"}`),
			} {
				g.Expect(got.Status).To(Equal(http.StatusServiceUnavailable), "%s", got.Body)
				g.Expect(got.Header.Get("Retry-After")).NotTo(BeEmpty())
			}
		}).Should(Succeed())

		for _, name := range []string{"usersecrets.latchkey.dev", "agentsecrets.latchkey.dev"} {
			crd := &unstructured.Unstructured{}
			crd.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"})
			crd.SetName(name)
			Expect(stack.Client.Delete(ctx, crd)).To(Succeed())
			Eventually(ctx, func() error { return stack.Client.Get(ctx, client.ObjectKey{Name: name}, crd) }).ShouldNot(Succeed())
		}
		for _, request := range []struct{ method, url, body string }{
			{"GET", users, ""}, {"GET", users + "/n", ""}, {"GET", users + "/m", ""}, {"GET", env, ""},
			{"POST", users, `{"name":"o","value":"v"}`}, {"POST", env, `{"path":["o"],"secretType":{"type":"Str"}}`},
			{"PATCH", users + "/n", `{"description":"d"}`}, {"DELETE", users + "/n", ""},
			{"GET", f.Golem + "/agent-secrets/00000000-0000-4000-8000-000000000000", ""},
		} {
			got := send(ctx, f, a, request.method, request.url, request.body)
			Expect(got.Status).To(BeElementOf(http.StatusOK, http.StatusNotFound, http.StatusServiceUnavailable), "%s %s: %s", request.method, request.url, got.Body)
			if request.method == "POST" {
				Expect(got.Status).To(Equal(http.StatusServiceUnavailable), "%s: %s", request.url, got.Body)
			}
		}
	})

	It("answer again within seconds of the kinds, and so does the controller, without a restart", func(ctx SpecContext) {
		stack, f := ownStack(ctx)
		a := restTenant(ctx, stack.Client, f, "state-again")
		users, env := f.Coder+"/users/me/secrets", f.Golem+"/envs/"+a.ID+"/agent-secrets"
		Expect(send(ctx, f, a, "POST", users, coderBody).Status).To(Equal(http.StatusCreated))

		_, err := stack.Kubectl.Run(ctx, "", "delete", "crd", "usersecrets.latchkey.dev", "agentsecrets.latchkey.dev")
		Expect(err).NotTo(HaveOccurred())
		// Long enough for watches that wait longer each time to wait for very long.
		Consistently(ctx, func() int { return send(ctx, f, a, "POST", users, coderBody).Status }, 15*time.Second, time.Second).
			Should(Equal(http.StatusServiceUnavailable))
		Expect(stack.RestoreManifests(ctx)).To(Succeed())
		_, err = stack.Kubectl.Run(ctx, "", "wait", "--for=condition=Established", "crd", "usersecrets.latchkey.dev", "agentsecrets.latchkey.dev")
		Expect(err).NotTo(HaveOccurred())
		Eventually(ctx, func(g Gomega) {
			got := send(ctx, f, a, "POST", users, coderBody)
			g.Expect(got.Status).To(Equal(http.StatusCreated), "%s", got.Body)
		}, 10*time.Second).Should(Succeed())
		Expect(send(ctx, f, a, "POST", env, golemBody).Status).To(Equal(http.StatusOK))
		Eventually(ctx, func(g Gomega) {
			list := &v1alpha1.UserSecretList{}
			g.Expect(stack.Client.List(ctx, list, client.InNamespace(a.Namespace))).To(Succeed())
			g.Expect(list.Items).To(HaveLen(1))
			g.Expect(meta.IsStatusConditionTrue(list.Items[0].Status.Conditions, v1alpha1.ConditionReady)).To(BeTrue(), "%v", list.Items[0].Status)
		}, 10*time.Second).Should(Succeed())
	})
})

// ownStack starts a stack that a spec may damage, and returns its server's own port, too.
func ownStack(ctx SpecContext) (*framework.Stack, conformance.Face) {
	GinkgoHelper()
	stack, err := framework.StartStack(ctx)
	if stack != nil {
		DeferCleanup(stack.Stop, false)
	}
	Expect(err).NotTo(HaveOccurred())
	ca, err := stack.RESTAuthority(ctx)
	Expect(err).NotTo(HaveOccurred())
	url, err := stack.Server.RESTURL()
	Expect(err).NotTo(HaveOccurred())
	f, err := conformance.Direct(url, ca)
	Expect(err).NotTo(HaveOccurred())
	return stack, f
}

// restTenant returns somebody who is a user and an environment, with all rights in it.
func restTenant(ctx SpecContext, admin client.Client, f conformance.Face, name string) conformance.Account {
	GinkgoHelper()
	tenants := conformance.Tenants{Admin: admin}
	a, err := tenants.New(ctx, name, map[string]string{v1alpha1.LabelUser: name, v1alpha1.LabelEnvironment: name},
		map[string]string{v1alpha1.AnnotationSubjects: "system:serviceaccount:" + name + ":caller"})
	Expect(err).NotTo(HaveOccurred())
	Expect(tenants.GrantEditor(ctx, a)).To(Succeed())
	eventually(ctx, f, f.Golem+"/envs/"+a.ID+"/agent-secrets", a.Token)
	return a
}
