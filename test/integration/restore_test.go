// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/test/framework"
)

var _ = Describe("An object that is replaced, and restored from a backup", func() {
	DescribeTable("keeps its path, whichever verb came before",
		func(ctx SpecContext, written, again string, args ...string) {
			tenant := newTenant(ctx)
			object := func(path string) string {
				return agentManifest(tenant, "abc", "path: ["+path+"]\nsecretType: {type: Str}\nvalue: "+canary)
			}
			_, err := cluster.Kubectl.Run(ctx, object(written), "create", "-f", "-")
			Expect(err).NotTo(HaveOccurred())
			a := agentSecret(tenant, "abc")
			Eventually(ctx, condition(a)).Should(Equal("True Projected")) // else its status is written between kubectl's read and write
			path := a.Spec.Path
			_, err = cluster.Kubectl.Run(ctx, object(again), append(args, "-f", "-")...)
			Expect(err).NotTo(HaveOccurred())
			Expect(api.Get(ctx, key(a), a)).To(Succeed())
			Expect(a.Annotations).To(HaveKeyWithValue(v1alpha1.AnnotationCanonicalPath, "true"))
			Eventually(ctx, condition(a)).Should(Equal("True Projected"))
			env, file := a.Status.Env, a.Status.File

			saved := run(ctx, "get", "agentsecrets", "--namespace", tenant, "--output", "yaml")
			Expect(api.Delete(ctx, a)).To(Succeed())
			_, err = cluster.Kubectl.Run(ctx, saved, "create", "-f", "-")
			Expect(err).NotTo(HaveOccurred())
			Eventually(ctx, condition(a)).Should(Equal("True Projected"))
			Expect(a.Spec.Path).To(Equal(path))
			Expect(a.Status.Env).To(Equal(env))
			Expect(a.Status.File).To(Equal(file))
		},
		Entry("replace by the path as stored", "a_b_c", "aBC", "replace"),
		Entry("replace by the path as written", "a_b_c", "a_b_c", "replace"),
		Entry("replace of a camel-case path", "fooBar, baz", "fooBar, baz", "replace"),
		Entry("apply", "a_b_c", "a_b_c", "apply"),
		Entry("server-side apply", "a_b_c", "aBC", "apply", "--server-side", "--force-conflicts"),
	)

	It("has its source approved again, for an administrator who restores it", func(ctx SpecContext) {
		tenant := newTenant(ctx)
		u := framework.UserSecret(tenant, "sourced", v1alpha1.UserSecretSpec{
			EnvName: "DB", ValueFrom: &v1alpha1.ValueSource{SecretKeyRef: v1alpha1.SecretKeyRef{Name: "db", Key: "password"}},
		})
		create(ctx, framework.Secret(tenant, "db", values{"password": canary}), u)
		Eventually(ctx, condition(u)).Should(Equal("True Projected"))
		saved := run(ctx, "get", "usersecrets", "--namespace", tenant, "--output", "yaml")
		Expect(api.Delete(ctx, u)).To(Succeed())
		Eventually(ctx, data(tenant, v1alpha1.BundleUserEnv)).Should(BeNil())
		_, err := cluster.Kubectl.Run(ctx, saved, "create", "-f", "-")
		Expect(err).NotTo(HaveOccurred())
		Eventually(ctx, data(tenant, v1alpha1.BundleUserEnv)).Should(Equal(values{"DB": canary}))
		Expect(u.Annotations[v1alpha1.AnnotationUpdatedAt]).To(BeEmpty())
	})

	It("keeps who was first, though a tool brings statuses along", func(ctx SpecContext) {
		tenant := newTenant(ctx)
		first := framework.AgentSecret(tenant, "first", text, quoted(canary), "db", "password")
		second := framework.AgentSecret(tenant, "second", text, quoted(canary), "dbPassword") // the same variable
		user := framework.UserSecret(tenant, "token", v1alpha1.UserSecretSpec{EnvName: "TOKEN", Value: v1alpha1.WriteOnlyString(canary)})
		create(ctx, first)
		Eventually(ctx, condition(first)).Should(Equal("True Projected"))
		create(ctx, second, user)
		Eventually(ctx, condition(second)).Should(Equal("False Conflict"))
		Eventually(ctx, condition(user)).Should(Equal("True Projected"))
		saved := run(ctx, "get", "usersecrets,agentsecrets", "--namespace", tenant, "--output", "yaml")
		statuses := map[string]v1alpha1.SecretStatus{"first": first.Status, "second": second.Status, "token": user.Status}
		// The backup's claims are older than anything here, and the loser's the oldest.
		for name, status := range statuses {
			for i := range status.Claims {
				status.Claims[i].Since = map[bool]string{true: "1", false: "2"}[name == "second"]
			}
		}
		objects := []client.Object{first, second, user}
		for _, o := range objects {
			Expect(api.Delete(ctx, o)).To(Succeed())
		}
		_, err := cluster.Kubectl.Run(ctx, saved, "create", "-f", "-")
		Expect(err).NotTo(HaveOccurred())
		for _, o := range objects {
			Eventually(ctx, func() error { return writeStatus(ctx, o, statuses[o.GetName()]) }).Should(Succeed())
		}
		// A status alone does not wake the controller, other objects do. A change of these would
		// make them later: which of the two the controller then saw first would decide.
		create(ctx, framework.AgentSecret(tenant, "other", text, quoted(canary), "other"),
			framework.UserSecret(tenant, "another", v1alpha1.UserSecretSpec{EnvName: "ANOTHER", Value: v1alpha1.WriteOnlyString(canary)}))
		Eventually(ctx, func(g Gomega) {
			for _, o := range objects {
				want := "True Projected"
				if o.GetName() == "second" {
					want = "False Conflict"
				}
				g.Expect(condition(o)(ctx)).To(Equal(want), o.GetName())
				status := statusOf(o)
				g.Expect(status.ObservedUID).To(Equal(string(o.GetUID())))
				g.Expect(status.Claims).To(HaveEach(HaveField("Since", Not(BeElementOf("1", "2")))), o.GetName())
			}
		}).Should(Succeed())
	})
})

func writeStatus(ctx context.Context, o client.Object, status v1alpha1.SecretStatus) error {
	if err := api.Get(ctx, key(o), o); err != nil {
		return err
	}
	*statusOf(o) = *status.DeepCopy()
	err := api.Status().Update(ctx, o)
	if apierrors.IsConflict(err) {
		return fmt.Errorf("the controller was faster: %w", err)
	}
	return err
}

func statusOf(o client.Object) *v1alpha1.SecretStatus {
	switch o := o.(type) {
	case *v1alpha1.UserSecret:
		return &o.Status
	case *v1alpha1.AgentSecret:
		return &o.Status
	}
	return &v1alpha1.SecretStatus{}
}
