// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package attacks

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/test/conformance"
	"github.com/latchkey-dev/latchkey/test/framework"
)

// sealedFor is what a boundary test copies from one object to another.
const sealedFor = "hunter2-boundary"

var _ = Describe("Somebody with the ciphertext of another object", Ordered, func() {
	var (
		victim, attacker string
		stolen           *v1alpha1.UserSecret
	)

	BeforeAll(func(ctx SpecContext) {
		var names []string
		for range 2 {
			namespace := framework.Namespace("")
			Expect(api.Create(ctx, namespace)).To(Succeed())
			names = append(names, namespace.Name)
		}
		victim, attacker = names[0], names[1]
		stolen = framework.UserSecret(victim, "token", v1alpha1.UserSecretSpec{EnvName: "TOKEN", Value: v1alpha1.WriteOnlyString(sealedFor)})
		Expect(api.Create(ctx, stolen)).To(Succeed())
		Expect(stolen.Spec.SealedValue).NotTo(BeEmpty())
	})

	DescribeTable("cannot have it opened",
		func(ctx SpecContext, thief func() client.Object) {
			err := api.Create(ctx, thief())
			Expect(apierrors.IsInvalid(err)).To(BeTrue(), "%v", err)
			Expect(err).To(MatchError(And(ContainSubstring("sealedValue"), Not(ContainSubstring(sealedFor)))))
		},
		Entry("by an object of the same name in their own namespace", func() client.Object {
			return framework.UserSecret(attacker, "token", v1alpha1.UserSecretSpec{EnvName: "TOKEN", SealedValue: stolen.Spec.SealedValue})
		}),
		Entry("by another object of the same namespace", func() client.Object {
			return framework.UserSecret(victim, "other", v1alpha1.UserSecretSpec{EnvName: "OTHER", SealedValue: stolen.Spec.SealedValue})
		}),
		Entry("by an object of another kind", func() client.Object {
			a := framework.AgentSecret(victim, "token", `{"type":"Str"}`, "", "token")
			a.Spec.SealedValue = stolen.Spec.SealedValue
			return a
		}),
		Entry("by altering it", func() client.Object {
			text := stolen.Spec.SealedValue
			middle := len(text) / 2
			altered := text[:middle] + map[bool]string{true: "B", false: "A"}[text[middle] == 'A'] + text[middle+1:]
			return framework.UserSecret(victim, "altered", v1alpha1.UserSecretSpec{SealedValue: altered})
		}),
	)

	It("has it opened for the object that it was sealed for, and for that one alone", func(ctx SpecContext) {
		again := framework.UserSecret(victim, "token", v1alpha1.UserSecretSpec{EnvName: "TOKEN", SealedValue: stolen.Spec.SealedValue})
		Expect(api.Delete(ctx, stolen)).To(Succeed())
		Expect(api.Create(ctx, again)).To(Succeed())
		bundle := &corev1.Secret{}
		Eventually(ctx, func() (string, error) {
			err := api.Get(ctx, client.ObjectKey{Namespace: victim, Name: v1alpha1.BundleUserEnv}, bundle)
			return string(bundle.Data["TOKEN"]), err
		}).Should(Equal(sealedFor))
		err := api.Get(ctx, client.ObjectKey{Namespace: attacker, Name: v1alpha1.BundleUserEnv}, bundle)
		Expect(apierrors.IsNotFound(err)).To(BeTrue(), "%v", err)
	})
})

var _ = Describe("An administrator of one namespace", func() {
	It("cannot become another user, nor take a user's name by a namespace that came later", func(ctx SpecContext) {
		tenants := conformance.Tenants{Admin: api}
		victim, err := tenants.NewUser(ctx, "boundary-victim")
		Expect(err).NotTo(HaveOccurred())
		first := &corev1.Namespace{}
		Expect(api.Get(ctx, client.ObjectKey{Name: victim.Namespace}, first)).To(Succeed())
		Eventually(ctx, time.Now).Should(BeTemporally(">", first.CreationTimestamp.Add(time.Second)), "ages are told in seconds")
		own := framework.Namespace("")
		Expect(api.Create(ctx, own)).To(Succeed())
		// All rights that a Role can have; the cluster's role admin has fewer.
		all := []string{"*"}
		create(ctx, &rbacv1.Role{
			ObjectMeta: metav1.ObjectMeta{Namespace: own.Name, Name: "admin"},
			Rules:      []rbacv1.PolicyRule{{APIGroups: all, Resources: all, Verbs: []string{"get", "list", "create", "delete", "deletecollection"}}, {APIGroups: []string{"", "latchkey.dev"}, Resources: []string{"secrets", "usersecrets", "agentsecrets"}, Verbs: all}},
		}, roleBinding(own.Name, "admin", "Role", "admin", "boundary-admin"))
		admin, err := stack.AsUser("boundary-admin")
		Expect(err).NotTo(HaveOccurred())
		claim := client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, `{"metadata":{"labels":{%q:"boundary-victim"}}}`, v1alpha1.LabelUser))
		Eventually(ctx, func() error { // the role is in effect: they may write what is theirs
			return admin.Create(ctx, framework.Secret(own.Name, "control", nil), client.DryRunAll)
		}).Should(Succeed())
		Expect(apierrors.IsForbidden(admin.Patch(ctx, own, claim))).To(BeTrue(), "who is who is not a tenant's to say")

		// Even with the label, which only who administers the cluster can set, the
		// first namespace stays the user.
		Expect(api.Patch(ctx, own, claim)).To(Succeed())
		ca, err := stack.RESTAuthority(ctx)
		Expect(err).NotTo(HaveOccurred())
		url, err := stack.Server.RESTURL()
		Expect(err).NotTo(HaveOccurred())
		direct, err := conformance.Direct(url, ca)
		Expect(err).NotTo(HaveOccurred())
		header := http.Header{"Authorization": {"Bearer " + victim.Token}, "Content-Type": {"application/json"}}
		var got conformance.Answer
		Eventually(ctx, func() (int, error) {
			got, err = direct.Do(ctx, http.MethodPost, direct.Coder+"/users/boundary-victim/secrets", header, `{"name":"mine","value":"v"}`)
			return got.Status, err
		}).Should(Equal(http.StatusCreated))
		Expect(api.Get(ctx, client.ObjectKey{Namespace: own.Name, Name: "mine"}, &v1alpha1.UserSecret{})).NotTo(Succeed())
		list := &v1alpha1.UserSecretList{}
		Expect(api.List(ctx, list, client.InNamespace(victim.Namespace))).To(Succeed())
		Expect(list.Items).To(HaveLen(1))
	})

	It("cannot make a source of another namespace's Secret, nor of a bundle", func(ctx SpecContext) {
		theirs, own := framework.Namespace(""), framework.Namespace("")
		Expect(api.Create(ctx, theirs)).To(Succeed())
		Expect(api.Create(ctx, own)).To(Succeed())
		Expect(api.Create(ctx, framework.Secret(theirs.Name, "db", map[string]string{"password": sealedFor}))).To(Succeed())
		Expect(api.Create(ctx, framework.Secret(own.Name, "db", map[string]string{"password": "own"}))).To(Succeed())
		from := func(name, secret, key string) *v1alpha1.UserSecret {
			return framework.UserSecret(own.Name, name, v1alpha1.UserSecretSpec{
				EnvName:   strings.ToUpper(name),
				ValueFrom: &v1alpha1.ValueSource{SecretKeyRef: v1alpha1.SecretKeyRef{Name: secret, Key: key}},
			})
		}
		for _, path := range []string{theirs.Name + "/db", "../" + theirs.Name + "/db", "db?namespace=" + theirs.Name} {
			Expect(api.Create(ctx, from("outside", path, "password"))).NotTo(Succeed(), path)
		}
		control := from("inside", "db", "password")
		Expect(api.Create(ctx, control)).To(Succeed())
		bundle := &corev1.Secret{}
		Eventually(ctx, func() (map[string][]byte, error) {
			err := api.Get(ctx, client.ObjectKey{Namespace: own.Name, Name: v1alpha1.BundleUserEnv}, bundle)
			return bundle.Data, err
		}).Should(Equal(map[string][]byte{"INSIDE": []byte("own")}))
		Expect(api.Create(ctx, from("loop", v1alpha1.BundleUserEnv, "INSIDE"))).NotTo(Succeed())
	})
})

var _ = Describe("Somebody on the network who reaches the REST port", func() {
	It("is nobody without a credential, whatever headers say", func(ctx SpecContext) {
		tenants := conformance.Tenants{Admin: api}
		victim, err := tenants.NewUser(ctx, "boundary-network")
		Expect(err).NotTo(HaveOccurred())
		ca, err := stack.RESTAuthority(ctx)
		Expect(err).NotTo(HaveOccurred())
		url, err := stack.Server.RESTURL()
		Expect(err).NotTo(HaveOccurred())
		direct, err := conformance.Direct(url, ca)
		Expect(err).NotTo(HaveOccurred())
		ask := func(header http.Header) int {
			GinkgoHelper()
			got, err := direct.Do(ctx, http.MethodGet, direct.Coder+"/users/boundary-network/secrets", header, "")
			Expect(err).NotTo(HaveOccurred())
			return got.Status
		}
		Eventually(ctx, func() int { return ask(http.Header{"Authorization": {"Bearer " + victim.Token}}) }).Should(Equal(http.StatusOK))
		for name, header := range map[string]http.Header{
			"nothing":                     {},
			"the front proxy's headers":   {"X-Remote-User": {"kubernetes-admin"}, "X-Remote-Group": {"system:masters"}},
			"an impersonation":            {"Impersonate-User": {"kubernetes-admin"}, "Impersonate-Group": {"system:masters"}},
			"a token that is none":        {"Authorization": {"Bearer " + victim.Token[:len(victim.Token)-4] + "AAAA"}},
			"a token of the wrong scheme": {"Authorization": {"Basic " + victim.Token}},
		} {
			Expect(ask(header)).To(Equal(http.StatusUnauthorized), name)
		}
	})
})
