// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/test/conformance"
	"github.com/latchkey-dev/latchkey/test/framework"
)

// What was made by somebody else than REST a moment ago, and asked for at once: no answer
// may say that it is not there, on any replica or face.
var _ = Describe("What exists", Ordered, func() {
	const rounds, callers = 40, 4
	var (
		faces   []conformance.Face
		reader  conformance.Account // may read everybody's
		tokens  [callers]string
		tenants conformance.Tenants
	)

	BeforeAll(func(ctx SpecContext) {
		replica, err := cluster.Server("fresh-replica")
		Expect(err).NotTo(HaveOccurred())
		Expect(replica.Start(ctx)).To(Succeed())
		DeferCleanup(func() error { _, err := replica.Stop(); return err })
		aggregated, err := conformance.Aggregated(cluster.Config.Host, cluster.Config.CAData)
		Expect(err).NotTo(HaveOccurred())
		faces = []conformance.Face{restFace(ctx, server), restFace(ctx, replica), aggregated}
		tenants = conformance.Tenants{Admin: api}
		reader, err = tenants.New(ctx, "fresh-reader", nil, nil)
		Expect(err).NotTo(HaveOccurred())
		for i := range tokens {
			tokens[i], err = tenants.Token(ctx, reader.Namespace, fmt.Sprint("caller-", i))
			Expect(err).NotTo(HaveOccurred())
		}
		role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "fresh-reader"}, Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{"latchkey.dev"}, Resources: []string{"usersecrets", "agentsecrets"}, Verbs: []string{"get", "list"},
		}}}
		binding := &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "fresh-reader"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: reader.Namespace, Name: "caller"}},
		}
		for _, o := range []client.Object{role, binding} {
			Expect(api.Create(ctx, o)).To(Succeed())
			DeferCleanup(api.Delete, o)
		}
		Eventually(ctx, func() int { // the rights are there, and so is the aggregated face
			_, err := tenants.NewUser(ctx, "fresh-first")
			Expect(client.IgnoreAlreadyExists(err)).To(Succeed())
			return asked(ctx, aggregated, reader.Token, aggregated.Coder+"/users/fresh-first/secrets").Status
		}).Should(Equal(http.StatusOK))
	})

	for what, path := range map[string]func(f conformance.Face, ns *corev1.Namespace) string{
		"a user by name": func(f conformance.Face, ns *corev1.Namespace) string {
			return f.Coder + "/users/" + ns.Name + "/secrets"
		},
		"a user by id": func(f conformance.Face, ns *corev1.Namespace) string {
			return f.Coder + "/users/" + string(ns.UID) + "/secrets"
		},
		"an environment by id": func(f conformance.Face, ns *corev1.Namespace) string {
			return f.Golem + "/envs/" + string(ns.UID) + "/agent-secrets"
		},
		"the caller themselves": func(f conformance.Face, _ *corev1.Namespace) string { return f.Coder + "/users/me/secrets" },
	} {
		It("is never answered as unknown: "+what, func(ctx SpecContext) {
			for i := range rounds {
				subject := fmt.Sprint("caller-", i%callers)
				ns := framework.Namespace("")
				ns.Labels = map[string]string{v1alpha1.LabelEnvironment: "fresh"}
				ns.Annotations = map[string]string{v1alpha1.AnnotationSubjects: fmt.Sprintf("system:serviceaccount:%s:%s", reader.Namespace, subject)}
				ns.Name, ns.GenerateName = fmt.Sprintf("fresh-%s-%d", digestOf(what), i), ""
				ns.Labels[v1alpha1.LabelUser] = ns.Name
				f := faces[i%len(faces)]
				token := reader.Token
				if what == "the caller themselves" {
					token = tokens[i%callers]
				}
				Expect(api.Create(ctx, ns)).To(Succeed())
				got := asked(ctx, f, token, path(f, ns))
				Expect(got.Status).To(Equal(http.StatusOK), "round %d, %s: %s", i, f.Name, got.Body)
				delete(ns.Labels, v1alpha1.LabelUser) // the next round's subject is free
				ns.Annotations[v1alpha1.AnnotationSubjects] = ""
				Expect(api.Update(ctx, ns)).To(Succeed())
			}
		})
	}

	It("is in a pod that is created right after it", func(ctx SpecContext) {
		ns := framework.Namespace("fresh-pods")
		ns.Labels = map[string]string{v1alpha1.LabelInjection: "enabled"}
		Expect(api.Create(ctx, ns)).To(Succeed())
		for i := range rounds {
			name := fmt.Sprint("s-", i)
			path := "/run/fresh/" + name
			Expect(api.Create(ctx, framework.UserSecret(ns.Name, name, v1alpha1.UserSecretSpec{
				FilePath: path, Value: v1alpha1.NewWriteOnly([]byte(`"v"`)),
			}))).To(Succeed())
			pod := &corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{Namespace: ns.Name, Name: name},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "registry.example/c:1"}}},
			}
			Expect(api.Create(ctx, pod)).To(Succeed())
			var paths []string
			for _, m := range pod.Spec.Containers[0].VolumeMounts {
				paths = append(paths, m.MountPath)
			}
			Expect(paths).To(ContainElement(path), "round %d", i)
			Expect(pod.Spec.Containers[0].EnvFrom).NotTo(BeEmpty())
		}
	})

	It("is never answered as unknown: secrets that kubectl made", func(ctx SpecContext) {
		owner, err := tenants.New(ctx, "fresh-secrets", map[string]string{v1alpha1.LabelUser: "fresh-secrets", v1alpha1.LabelEnvironment: "fresh-secrets"}, nil)
		Expect(err).NotTo(HaveOccurred())
		for i := range rounds {
			f := faces[i%len(faces)]
			name := fmt.Sprint("s-", i)
			Expect(api.Create(ctx, framework.UserSecret(owner.Namespace, name, v1alpha1.UserSecretSpec{
				Name: "Documented " + name, Value: v1alpha1.NewWriteOnly([]byte(`"v"`)),
			}))).To(Succeed())
			got := asked(ctx, f, reader.Token, f.Coder+"/users/fresh-secrets/secrets/Documented%20"+name)
			Expect(got.Status).To(Equal(http.StatusOK), "round %d, %s: %s", i, f.Name, got.Body)
			agent := framework.AgentSecret(owner.Namespace, name, `{"type":"Str"}`, `"v"`, name)
			Expect(api.Create(ctx, agent)).To(Succeed())
			got = asked(ctx, f, reader.Token, f.Golem+"/agent-secrets/"+string(agent.UID))
			Expect(got.Status).To(Equal(http.StatusOK), "round %d, %s: %s", i, f.Name, got.Body)
		}
	})
})

// asked sends a GET.
func asked(ctx SpecContext, f conformance.Face, token, url string) conformance.Answer {
	GinkgoHelper()
	got, err := f.Do(ctx, http.MethodGet, url, http.Header{"Authorization": {"Bearer " + token}}, "")
	Expect(err).NotTo(HaveOccurred())
	return got
}

// digestOf returns a few letters that stand for a text.
func digestOf(text string) string {
	sum := 0
	for _, c := range text {
		sum = sum*31 + int(c)
	}
	return fmt.Sprintf("%x", sum&0xffffff)
}
