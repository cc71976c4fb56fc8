// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package attacks

import (
	"context"
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/test/framework"
)

const password = "canary-of-prod-db"

// sourced returns a UserSecret that takes its value from key password of Secret prod-db.
func sourced(namespace, name string, edits ...func(*v1alpha1.UserSecretSpec)) *v1alpha1.UserSecret {
	spec := v1alpha1.UserSecretSpec{
		ValueFrom: &v1alpha1.ValueSource{SecretKeyRef: v1alpha1.SecretKeyRef{Name: "prod-db", Key: "password"}},
	}
	for _, edit := range edits {
		edit(&spec)
	}
	return framework.UserSecret(namespace, name, spec)
}

func off(s *v1alpha1.UserSecretSpec)      { s.Enabled = new(false) }
func toDB(s *v1alpha1.UserSecretSpec)     { s.EnvName = "DB" }
func stolen(s *v1alpha1.UserSecretSpec)   { s.EnvName = "STOLEN" }
func inAFile(s *v1alpha1.UserSecretSpec)  { s.FilePath = "~/stolen" }
func otherKey(s *v1alpha1.UserSecretSpec) { s.ValueFrom.SecretKeyRef.Key = "other" }

func prodDB(namespace string) client.Object {
	return framework.Secret(namespace, "prod-db", map[string]string{"password": password, "other": password + "-other"})
}

// nothingOf expects that nothing of a source is projected, now and a while later.
func nothingOf(ctx context.Context, namespace string) {
	GinkgoHelper()
	for _, name := range []string{v1alpha1.BundleUserEnv, v1alpha1.BundleUserFiles} {
		Consistently(ctx, contents(namespace, name)).Should(BeNil())
	}
}

var _ = Describe("A user without RBAC, at the REST API, with a secret whose source an administrator set", Ordered, func() {
	var e *estate
	var u *v1alpha1.UserSecret

	BeforeAll(func(ctx SpecContext) {
		e = newEstate(ctx, "source-rest")
		u = sourced(e.Namespace, "prod", off)
		create(ctx, prodDB(e.Namespace), u)
		Eventually(ctx, reason(u)).Should(Equal(v1alpha1.ReasonDisabled))
		for _, face := range faces(ctx) {
			Eventually(ctx, func() int { return e.patch(ctx, face, "prod", `{"description":"seen"}`).Status }).Should(Equal(http.StatusOK))
		}
	})

	for i, face := range []string{"direct", "aggregated"} {
		DescribeTable("cannot turn it on or redirect it, "+face,
			func(ctx SpecContext, body string) {
				got := e.patch(ctx, faces(ctx)[i], "prod", body)
				Expect(got.Status).To(Equal(http.StatusForbidden), "%s", got.Body)
				Expect(string(got.Body)).To(And(ContainSubstring(`"message":"Forbidden."`), ContainSubstring("you may not get")))
				Expect(string(got.Body)).NotTo(ContainSubstring("prod-db"), "nor learn which it is")
				nothingOf(ctx, e.Namespace)
			},
			Entry("both at once", `{"enabled":true,"env_name":"STOLEN"}`),
			Entry("turn it on", `{"enabled":true}`),
			Entry("a variable", `{"env_name":"STOLEN"}`),
			Entry("a file", `{"file_path":"~/stolen"}`),
			Entry("a file, and a word beside it", `{"description":"harmless","file_path":"~/stolen"}`),
		)
	}

	It("cannot by an import either", func(ctx SpecContext) {
		header := http.Header{"Authorization": {"Bearer " + e.Token}, "Content-Type": {"application/json"}}
		face := faces(ctx)[0]
		got, err := face.Do(ctx, http.MethodPost, face.Coder+"/users/me/secrets/batch", header, `{"format":"env","content":"prod=x\n"}`)
		Expect(err).NotTo(HaveOccurred())
		Expect(got.Status).To(BeElementOf(http.StatusConflict, http.StatusNotFound, http.StatusMethodNotAllowed), "%s", got.Body)
		nothingOf(ctx, e.Namespace)
	})

	It("can narrow it, describe it and give it a value", func(ctx SpecContext) {
		face := faces(ctx)[0]
		n := sourced(e.Namespace, "narrow", toDB, inAFile)
		create(ctx, n)
		Eventually(ctx, reason(n)).Should(Equal(v1alpha1.ReasonProjected))
		for _, body := range []string{`{"description":"narrower"}`, `{"file_path":""}`} {
			got := e.patch(ctx, face, "narrow", body)
			Expect(got.Status).To(Equal(http.StatusOK), "%s", got.Body)
			Eventually(ctx, reason(n)).Should(Equal(v1alpha1.ReasonProjected))
		}
		Expect(e.patch(ctx, face, "narrow", `{"enabled":false}`).Status).To(Equal(http.StatusOK))
		Eventually(ctx, reason(n)).Should(Equal(v1alpha1.ReasonDisabled))
		Expect(e.patch(ctx, face, "narrow", `{"enabled":true}`).Status).To(Equal(http.StatusForbidden), "not even what they turned off")
		Expect(e.patch(ctx, face, "narrow", `{"enabled":true,"value":"theirs"}`).Status).To(Equal(http.StatusOK), "a value of their own")
		Eventually(ctx, contents(e.Namespace, v1alpha1.BundleUserEnv)).Should(Equal(map[string]string{"DB": "theirs"}))
		Expect(api.Delete(ctx, n)).To(Succeed())
	})

	It("can turn it on with the right to get the source", func(ctx SpecContext) {
		face := faces(ctx)[0]
		e.mayGetSecrets(ctx)
		Eventually(ctx, func() int {
			return e.patch(ctx, face, "prod", `{"enabled":true,"env_name":"DB","file_path":"~/db"}`).Status
		}).Should(Equal(http.StatusOK))
		Eventually(ctx, contents(e.Namespace, v1alpha1.BundleUserEnv)).Should(Equal(map[string]string{"DB": password}))
	})
})

var _ = Describe("An editor of secret objects who may get no native Secret", Ordered, func() {
	var e *estate

	BeforeAll(func(ctx SpecContext) {
		e = newEstate(ctx, "source-editor")
		create(ctx, prodDB(e.Namespace))
	})

	merge := func(patch string) func(context.Context, client.Client, *v1alpha1.UserSecret) error {
		return func(ctx context.Context, as client.Client, u *v1alpha1.UserSecret) error {
			return as.Patch(ctx, u, client.RawPatch("application/merge-patch+json", []byte(patch)))
		}
	}
	replace := func(edits ...func(*v1alpha1.UserSecretSpec)) func(context.Context, client.Client, *v1alpha1.UserSecret) error {
		return func(ctx context.Context, as client.Client, u *v1alpha1.UserSecret) error {
			for _, edit := range edits {
				edit(&u.Spec)
			}
			return as.Update(ctx, u)
		}
	}
	serverSide := func(edits ...func(*v1alpha1.UserSecretSpec)) func(context.Context, client.Client, *v1alpha1.UserSecret) error {
		return func(ctx context.Context, as client.Client, u *v1alpha1.UserSecret) error {
			applied := sourced(u.Namespace, u.Name, edits...)
			applied.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("UserSecret"))
			return as.Patch(ctx, applied, client.Apply, client.FieldOwner("editor"), client.ForceOwnership) //nolint:staticcheck // the typed form has no such kind
		}
	}
	again := func(ctx context.Context, as client.Client, u *v1alpha1.UserSecret) error {
		if err := as.Delete(ctx, u); err != nil {
			return err
		}
		second := sourced(u.Namespace, u.Name, toDB)
		second.Annotations = u.Annotations
		return as.Create(ctx, second)
	}

	DescribeTable("cannot widen what a source feeds, as its owner can",
		func(ctx SpecContext, name string, before []func(*v1alpha1.UserSecretSpec), write func(context.Context, client.Client, *v1alpha1.UserSecret) error, landed string) {
			u := sourced(e.Namespace, name, before...)
			create(ctx, u)
			Eventually(ctx, reason(u)).ShouldNot(BeEmpty())
			wasEnv, err := contents(e.Namespace, v1alpha1.BundleUserEnv)(ctx)
			Expect(err).NotTo(HaveOccurred())
			wasFiles, err := contents(e.Namespace, v1alpha1.BundleUserFiles)(ctx)
			Expect(err).NotTo(HaveOccurred())

			err = write(ctx, e.editor, u.DeepCopy())
			Expect(err).To(MatchError(ContainSubstring("may not get Secret prod-db in this namespace")))
			if client.IgnoreNotFound(api.Get(ctx, client.ObjectKeyFromObject(u), u)) == nil && u.UID != "" && name != "again" {
				Consistently(ctx, contents(e.Namespace, v1alpha1.BundleUserEnv)).Should(Equal(wasEnv))
				Consistently(ctx, contents(e.Namespace, v1alpha1.BundleUserFiles)).Should(Equal(wasFiles))
			} else {
				u = sourced(e.Namespace, name, before...)
				create(ctx, u)
			}

			Expect(api.Get(ctx, client.ObjectKeyFromObject(u), u)).To(Succeed())
			Eventually(ctx, func() error {
				Expect(api.Get(ctx, client.ObjectKeyFromObject(u), u)).To(Succeed())
				return write(ctx, e.owner, u.DeepCopy())
			}).Should(Succeed())
			Eventually(ctx, reason(u)).Should(Equal(v1alpha1.ReasonProjected))
			Eventually(ctx, contents(e.Namespace, landed)).Should(ContainElement(HavePrefix(password)))
			Expect(api.Delete(ctx, u)).To(Succeed())
			Eventually(ctx, contents(e.Namespace, landed)).Should(BeNil())
		},
		Entry("by turning it on", "on", []func(*v1alpha1.UserSecretSpec){off, toDB}, merge(`{"spec":{"enabled":true}}`), v1alpha1.BundleUserEnv),
		Entry("by taking the switch away", "switch", []func(*v1alpha1.UserSecretSpec){off, toDB}, merge(`{"spec":{"enabled":null}}`), v1alpha1.BundleUserEnv),
		Entry("by another variable", "variable", []func(*v1alpha1.UserSecretSpec){toDB}, merge(`{"spec":{"envName":"STOLEN"}}`), v1alpha1.BundleUserEnv),
		Entry("by a file", "file", []func(*v1alpha1.UserSecretSpec){toDB}, merge(`{"spec":{"filePath":"~/stolen"}}`), v1alpha1.BundleUserFiles),
		Entry("by a first target", "first", nil, merge(`{"spec":{"envName":"STOLEN"}}`), v1alpha1.BundleUserEnv),
		Entry("by another key of the source", "key", []func(*v1alpha1.UserSecretSpec){toDB}, replace(otherKey), v1alpha1.BundleUserEnv),
		Entry("by replacing it", "replaced", []func(*v1alpha1.UserSecretSpec){toDB}, replace(stolen), v1alpha1.BundleUserEnv),
		Entry("by server-side apply", "applied", []func(*v1alpha1.UserSecretSpec){toDB}, serverSide(inAFile), v1alpha1.BundleUserFiles),
		Entry("by deleting it and creating it with its annotations", "again", []func(*v1alpha1.UserSecretSpec){toDB}, again, v1alpha1.BundleUserEnv),
	)

	It("cannot redirect one that is off, for others to turn on", func(ctx SpecContext) {
		u := sourced(e.Namespace, "trap", off)
		create(ctx, u)
		Expect(merge(`{"spec":{"envName":"STOLEN"}}`)(ctx, e.editor, u.DeepCopy())).To(MatchError(ContainSubstring("may not get Secret")))
		Expect(merge(`{"spec":{"envName":"STOLEN"}}`)(ctx, e.owner, u.DeepCopy())).To(Succeed())
	})

	It("cannot create one without a name", func(ctx SpecContext) {
		u := sourced(e.Namespace, "", stolen)
		u.GenerateName = "steal-"
		Expect(e.editor.Create(ctx, u)).To(MatchError(ContainSubstring("generateName")))
	})

	It("cannot use an approval of the object's past", func(ctx SpecContext) {
		u := sourced(e.Namespace, "past", toDB)
		create(ctx, u)
		Eventually(ctx, reason(u)).Should(Equal(v1alpha1.ReasonProjected))
		approved := u.Annotations[v1alpha1.AnnotationSourceApproval]
		Expect(approved).NotTo(BeEmpty())
		By("an administrator turns it off")
		Expect(merge(`{"spec":{"enabled":false}}`)(ctx, api, u.DeepCopy())).To(Succeed())
		Expect(merge(`{"metadata":{"annotations":{"`+v1alpha1.AnnotationSourceApproval+`":"`+approved+`"}},"spec":{"enabled":true}}`)(ctx, e.editor, u.DeepCopy())).
			To(MatchError(ContainSubstring("may not get Secret prod-db")))
		By("the editor touches it with the approval of before")
		Expect(merge(`{"metadata":{"annotations":{"`+v1alpha1.AnnotationSourceApproval+`":"`+approved+`"}}}`)(ctx, e.editor, u.DeepCopy())).To(Succeed())
		Expect(api.Get(ctx, client.ObjectKeyFromObject(u), u)).To(Succeed())
		Expect(u.Annotations[v1alpha1.AnnotationSourceApproval]).NotTo(Or(Equal(approved), BeEmpty()), "what admission knows stays")
	})
})
