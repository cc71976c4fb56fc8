// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/projector"
	"github.com/latchkey-dev/latchkey/test/framework"
)

// podManifest is a pod with lists of its own beside each that is projected into: an envFrom, which is replaced whole by who
// applies it, volumes and mounts. Without a token, it can be replaced too.
func podManifest(namespace, name, inject, image string) string {
	return fmt.Sprintf(`
apiVersion: v1
kind: Pod
metadata: {name: %s, namespace: %s, annotations: {latchkey.dev/inject: %q}}
spec:
  automountServiceAccountToken: false
  initContainers:
  - {name: prepare, image: none.invalid/prepare, envFrom: [{secretRef: {name: own, optional: true}}]}
  - {name: proxy, image: none.invalid/proxy, restartPolicy: Always}
  containers:
  - name: tool
    image: none.invalid/tool:%s
    envFrom: [{configMapRef: {name: settings, optional: true}}]
    volumeMounts: [{name: scratch, mountPath: /scratch}]
  - {name: plain, image: none.invalid/plain}
  volumes: [{name: scratch, emptyDir: {}}]
`, name, namespace, inject, image)
}

var _ = Describe("A pod that was projected into", func() {
	var tenant string

	get := func(ctx context.Context, name string) *corev1.Pod {
		GinkgoHelper()
		pod := &corev1.Pod{}
		Expect(api.Get(ctx, client.ObjectKey{Namespace: tenant, Name: name}, pod)).To(Succeed())
		return pod
	}
	kubectl := func(ctx context.Context, stdin string, args ...string) string {
		GinkgoHelper()
		out, err := cluster.Kubectl.Run(ctx, stdin, append([]string{"--namespace", tenant}, args...)...)
		Expect(err).NotTo(HaveOccurred(), "kubectl %s", strings.Join(args, " "))
		return out
	}

	BeforeEach(func(ctx SpecContext) {
		tenant = newTenant(ctx)
		inject(ctx, tenant, v1alpha1.LabelUser, tenant, v1alpha1.LabelEnvironment, tenant)
		create(ctx, framework.UserSecret(tenant, "gh", v1alpha1.UserSecretSpec{
			EnvName: "GH", FilePath: "~/.config/gh/token", Value: v1alpha1.WriteOnlyString("gh-value"),
		}))
		Eventually(ctx, condition(userSecret(tenant, "gh"))).Should(Equal("True Projected"))
		Eventually(ctx, func(ctx SpecContext) (map[string]string, error) { // until the server knows of all
			pod := plainPod(tenant)
			err := api.Create(ctx, pod, client.DryRunAll)
			return places(pod), err
		}).Should(And(HaveKey("/root/.config/gh/token"), HaveKey(projector.DefaultAgentDir)))
	})

	// Every way to send a manifest again, after everything that may have changed meanwhile.
	DescribeTable("can be applied, patched and replaced again",
		func(ctx SpecContext, inject string, meanwhile func(context.Context)) {
			ways := map[string][]string{"client": {"apply", "-f", "-"}, "server": {"apply", "--server-side", "-f", "-"}}
			stored := map[string]*corev1.Pod{}
			for way, apply := range ways {
				kubectl(ctx, podManifest(tenant, way, inject, "1"), apply...)
				stored[way] = get(ctx, way)
				Expect(stored[way].Spec.Containers[0].EnvFrom).To(HaveLen(map[string]int{"true": 3, "false": 1}[inject]))
			}
			if meanwhile != nil {
				meanwhile(ctx)
			}
			for way, apply := range ways {
				before := stored[way]
				kubectl(ctx, podManifest(tenant, way, inject, "1"), apply...)
				Expect(get(ctx, way).ResourceVersion).To(Equal(before.ResourceVersion), "nothing changed")
				kubectl(ctx, podManifest(tenant, way, inject, "1"), append([]string{"diff"}, apply[1:]...)...)
				kubectl(ctx, podManifest(tenant, way, inject, "2"), apply...)
				kubectl(ctx, "", "set", "image", "pod/"+way, "tool=none.invalid/tool:3")
				kubectl(ctx, "", "annotate", "pod", way, "note=x")
				kubectl(ctx, "", "label", "pod", way, "note=x")
				kubectl(ctx, podManifest(tenant, way, inject, "4"), "replace", "-f", "-")
				after := get(ctx, way)
				Expect(after.Spec.Containers[0].Image).To(Equal("none.invalid/tool:4"))
				after.Spec.Containers[0].Image = before.Spec.Containers[0].Image
				Expect(after.Spec).To(Equal(before.Spec), "what was projected stays, in its place")
			}
		},
		Entry("if it opted in", "true", nil),
		Entry("if it opted out", "false", nil),
		Entry("after the namespace's label was taken away", "true", func(ctx context.Context) {
			inject(ctx, tenant, v1alpha1.LabelInjection, "")
		}),
		Entry("after a secret was added and another deleted", "true", func(ctx context.Context) {
			Expect(api.Delete(ctx, userSecret(tenant, "gh"))).To(Succeed())
			create(ctx, framework.UserSecret(tenant, "new", v1alpha1.UserSecretSpec{FilePath: "~/new", Value: v1alpha1.WriteOnlyString("v")}))
			Eventually(ctx, condition(userSecret(tenant, "new"))).Should(Equal("True Projected"))
		}),
	)

	// Of an envFrom of its own, the stored list is not what anybody applied.
	It("is applied by several managers, whichever made it", func(ctx SpecContext) {
		one := []string{"apply", "--server-side", "--field-manager=one", "-f", "-"}
		two := []string{"apply", "--server-side", "--field-manager=two", "-f", "-"}
		for name, first := range map[string][]string{"client": {"apply", "-f", "-"}, "server": one} {
			manifest := podManifest(tenant, name, "true", "1")
			kubectl(ctx, manifest, first...)
			before := get(ctx, name)
			kubectl(ctx, manifest, two...)
			kubectl(ctx, manifest, one...)
			kubectl(ctx, manifest, append([]string{"diff", "--server-side"}, two[2:]...)...)
			after := get(ctx, name)
			Expect(after.Spec).To(Equal(before.Spec))
			for _, again := range [][]string{one, two, one} {
				kubectl(ctx, manifest, again...)
				Expect(get(ctx, name).ResourceVersion).To(Equal(after.ResourceVersion), "nothing changed")
			}
			kubectl(ctx, podManifest(tenant, name, "true", "2"), append(two, "--force-conflicts")...) // the image is one's
		}
	})

	It("keeps its secrets where it opts out afterwards, and gets none where it opts in", func(ctx SpecContext) {
		kubectl(ctx, podManifest(tenant, "in", "true", "1"), "apply", "-f", "-")
		kubectl(ctx, podManifest(tenant, "out", "false", "1"), "apply", "-f", "-")
		in, out := get(ctx, "in"), get(ctx, "out")
		kubectl(ctx, podManifest(tenant, "in", "false", "1"), "apply", "-f", "-")
		kubectl(ctx, podManifest(tenant, "out", "true", "1"), "apply", "-f", "-")
		Expect(get(ctx, "in").Spec).To(Equal(in.Spec))
		Expect(get(ctx, "out").Spec).To(Equal(out.Spec))
		Expect(get(ctx, "in").Annotations).To(HaveKeyWithValue(projector.AnnotationInject, "false"))
	})

	It("is refused what no pod may have, as without secrets", func(ctx SpecContext) {
		kubectl(ctx, podManifest(tenant, "p", "true", "1"), "apply", "-f", "-")
		changed := strings.Replace(podManifest(tenant, "p", "true", "1"), "mountPath: /scratch", "mountPath: /other", 1)
		_, err := cluster.Kubectl.Run(ctx, changed, "apply", "-f", "-")
		Expect(err).To(MatchError(ContainSubstring("pod updates may not change fields other than")))
		// Not even by who takes away what Latchkey added, on purpose.
		_, err = cluster.Kubectl.Run(ctx, "", "--namespace", tenant, "patch", "pod", "p", "--type=json", "-p",
			`[{"op":"remove","path":"/spec/containers/0/envFrom/0"}]`)
		Expect(err).NotTo(HaveOccurred(), "it stays as it is")
		Expect(get(ctx, "p").Spec.Containers[0].EnvFrom).To(HaveLen(3))
	})

	It("is updated while the server is down, in all that needs no answer", func(ctx SpecContext) {
		kubectl(ctx, podManifest(tenant, "p", "true", "1"), "apply", "-f", "-")
		_, err := server.Stop()
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func(ctx SpecContext) {
			Expect(server.Start(ctx)).To(Succeed())
			Expect(cluster.AwaitAdmission(ctx)).To(Succeed())
		})
		pod := get(ctx, "p")
		pod.Finalizers = append(pod.Finalizers, "example.invalid/finalizer") // as the Job controller does
		Expect(api.Update(ctx, pod)).To(Succeed())
		pod.Finalizers = nil
		Expect(api.Update(ctx, pod)).To(Succeed())
		pod.Status.Phase = corev1.PodFailed // as a kubelet does
		Expect(api.Status().Update(ctx, pod)).To(Succeed())
		kubectl(ctx, "", "set", "image", "pod/p", "tool=none.invalid/tool:2")
		kubectl(ctx, "", "label", "pod", "p", "note=x")
		// What the API server refuses in any case, it refuses in its own words, and soon.
		_, err = cluster.Kubectl.Run(ctx, podManifest(tenant, "p", "true", "3"), "apply", "-f", "-")
		Expect(err).To(MatchError(ContainSubstring("pod updates may not change fields other than")))
		Expect(api.Delete(ctx, pod, client.GracePeriodSeconds(0))).To(Succeed())
	})

	It("lets other subresources be", func(ctx SpecContext) {
		kubectl(ctx, podManifest(tenant, "p", "true", "1"), "apply", "-f", "-")
		before := get(ctx, "p")
		debugged := before.DeepCopy()
		debugged.Spec.EphemeralContainers = []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{
			Name: "debug", Image: "none.invalid/debug", TerminationMessagePolicy: corev1.TerminationMessageReadFile, ImagePullPolicy: corev1.PullAlways,
		}}}
		Expect(api.SubResource("ephemeralcontainers").Update(ctx, debugged)).To(Succeed())
		after := get(ctx, "p")
		Expect(after.Spec.EphemeralContainers).To(HaveLen(1))
		Expect(after.Spec.EphemeralContainers[0].EnvFrom).To(BeEmpty())
		after.Spec.EphemeralContainers = nil
		Expect(after.Spec).To(Equal(before.Spec))
	})
})
