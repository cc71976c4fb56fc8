// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package attacks

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/test/framework"
)

// internal are the annotations by which Latchkey speaks to itself, with what somebody
// could write there.
var internal = map[string]string{
	v1alpha1.AnnotationPending:        "batch",
	v1alpha1.AnnotationCommitted:      "batch",
	v1alpha1.AnnotationUpdatedAt:      "2099-01-01T00:00:00Z",
	v1alpha1.AnnotationCanonicalPath:  "false",
	v1alpha1.AnnotationSourceApproval: "u.forged",
}

// marks returns the internal annotations of an object.
func marks(o client.Object) map[string]string {
	found := map[string]string{}
	for name := range internal {
		if text, ok := o.GetAnnotations()[name]; ok {
			found[name] = text
		}
	}
	return found
}

var _ = Describe("An editor who writes Latchkey's own annotations", Ordered, func() {
	var e *estate
	BeforeAll(func(ctx SpecContext) { e = newEstate(ctx, "annotations") })

	kinds := map[string]func(name string) client.Object{
		"UserSecret": func(name string) client.Object {
			return framework.UserSecret(e.Namespace, name, v1alpha1.UserSecretSpec{Value: v1alpha1.WriteOnlyString("v")})
		},
		"AgentSecret": func(name string) client.Object {
			return framework.AgentSecret(e.Namespace, name, `{"type":"Str"}`, `"v"`, "a_b_c", name)
		},
	}
	// verbs write annotations on an object that is stored.
	verbs := map[string]func(ctx context.Context, kind string, o client.Object, annotations map[string]string) error{
		"patch": func(ctx context.Context, _ string, o client.Object, annotations map[string]string) error {
			before, _ := o.DeepCopyObject().(client.Object)
			for name, text := range annotations {
				metav1.SetMetaDataAnnotation(objectMeta(o), name, text)
			}
			return e.editor.Patch(ctx, o, client.MergeFrom(before))
		},
		"replace": func(ctx context.Context, _ string, o client.Object, annotations map[string]string) error {
			o.SetAnnotations(annotations)
			return e.editor.Update(ctx, o)
		},
		"apply": func(ctx context.Context, kind string, o client.Object, annotations map[string]string) error {
			u := &unstructured.Unstructured{}
			u.SetGroupVersionKind(schema.GroupVersionKind{Group: "latchkey.dev", Version: "v1alpha1", Kind: kind})
			u.SetNamespace(o.GetNamespace())
			u.SetName(o.GetName())
			u.SetAnnotations(annotations)
			return e.editor.Patch(ctx, u, client.Apply, client.FieldOwner("mallory"), client.ForceOwnership) //nolint:staticcheck // not a typed object
		},
	}
	for kind, object := range kinds {
		It("neither adds one nor changes one nor takes one away, "+kind, func(ctx SpecContext) {
			o := object("stored")
			Expect(e.editor.Create(ctx, o)).To(Succeed())
			Eventually(ctx, func() (string, error) { // its first status is not written between a read and a write below
				err := api.Get(ctx, client.ObjectKeyFromObject(o), o)
				return observed(o), err
			}).Should(Equal(string(o.GetUID())))
			was := marks(o)
			for verb, write := range verbs {
				By(verb)
				Expect(api.Get(ctx, client.ObjectKeyFromObject(o), o)).To(Succeed())
				Expect(write(ctx, kind, o, internal)).To(Succeed())
				Expect(api.Get(ctx, client.ObjectKeyFromObject(o), o)).To(Succeed())
				Expect(marks(o)).To(Equal(was), "by %s", verb)
				Expect(write(ctx, kind, o, map[string]string{"x": verb})).To(Succeed())
				Expect(api.Get(ctx, client.ObjectKeyFromObject(o), o)).To(Succeed())
				Expect(marks(o)).To(Equal(was), "by %s without them", verb)
				Expect(o.GetAnnotations()).To(HaveKeyWithValue("x", verb), "others are theirs")
			}
		})

		It("creates none of them, "+kind, func(ctx SpecContext) {
			plain := object("plain")
			Expect(e.editor.Create(ctx, plain)).To(Succeed())
			o := object("created")
			o.SetAnnotations(internal)
			Expect(e.editor.Create(ctx, o)).To(Succeed())
			Expect(marks(o)).To(Equal(marks(plain)))
		})

		It("cannot be the server to store a value in plain: the CRD refuses it, "+kind, func(ctx SpecContext) {
			server, err := stack.AsCommand(ctx, "server")
			Expect(err).NotTo(HaveOccurred())
			Expect(server.Create(ctx, object("plain-of-server"))).To(MatchError(ContainSubstring("must be sealed before it is stored")))
			Expect(e.editor.Create(ctx, object("plain-to-server"))).To(Succeed(), "control: admission seals it for others")
			patch := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"value":"plain"}}`))
			Expect(server.Patch(ctx, object("plain-to-server"), patch)).
				To(MatchError(ContainSubstring("must be sealed before it is stored")))
		})
	}

	It("cannot hide a secret from the REST API", func(ctx SpecContext) {
		o := kinds["UserSecret"]("visible")
		o.SetAnnotations(map[string]string{v1alpha1.AnnotationPending: "batch"})
		Expect(e.editor.Create(ctx, o)).To(Succeed())
		Eventually(ctx, func() int { return e.patch(ctx, faces(ctx)[0], "visible", `{"description":"d"}`).Status }).Should(Equal(200))
	})

	It("cannot set the time of the last change, which never goes back", func(ctx SpecContext) {
		u := framework.UserSecret(e.Namespace, "times", v1alpha1.UserSecretSpec{Value: v1alpha1.WriteOnlyString("v")})
		Expect(e.editor.Create(ctx, u)).To(Succeed())
		change := func(description string, annotations map[string]any) {
			Expect(merge(ctx, e.editor, u, map[string]any{
				"metadata": map[string]any{"annotations": annotations}, "spec": map[string]any{"description": description},
			})).To(Succeed())
			Expect(api.Get(ctx, client.ObjectKeyFromObject(u), u)).To(Succeed())
		}
		change("changed", nil)
		first := u.Annotations[v1alpha1.AnnotationUpdatedAt]
		Expect(first).NotTo(BeEmpty())
		for _, text := range []string{"2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z"} {
			change("changed to "+text, map[string]any{v1alpha1.AnnotationUpdatedAt: text})
			Expect(u.Annotations[v1alpha1.AnnotationUpdatedAt] >= first).To(BeTrue())
			Expect(u.Annotations[v1alpha1.AnnotationUpdatedAt]).NotTo(Equal(text))
		}
	})
})

// observed returns the UID that an object's status speaks of.
func observed(o client.Object) string {
	switch o := o.(type) {
	case *v1alpha1.UserSecret:
		return o.Status.ObservedUID
	case *v1alpha1.AgentSecret:
		return o.Status.ObservedUID
	}
	return ""
}

func objectMeta(o client.Object) *metav1.ObjectMeta {
	switch o := o.(type) {
	case *v1alpha1.UserSecret:
		return &o.ObjectMeta
	case *v1alpha1.AgentSecret:
		return &o.ObjectMeta
	}
	return &metav1.ObjectMeta{}
}
