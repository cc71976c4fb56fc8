// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/projector"
	"github.com/latchkey-dev/latchkey/test/framework"
)

// No kubelet runs these pods: what is looked at is what was admitted.
var _ = Describe("A pod", Ordered, func() {
	var tenant string

	BeforeAll(func(ctx SpecContext) {
		tenant = newTenant(ctx)
		inject(ctx, tenant)
		create(ctx, framework.UserSecret(tenant, "gh", v1alpha1.UserSecretSpec{
			EnvName: "GH", FilePath: "~/.config/gh/token", Value: v1alpha1.WriteOnlyString("gh-value"),
		}))
		Eventually(ctx, condition(userSecret(tenant, "gh"))).Should(Equal("True Projected"))
	})

	It("gets the tenant's variables and files, in a dry run too", func(ctx SpecContext) {
		dry := plainPod(tenant)
		Expect(api.Create(ctx, dry, client.DryRunAll)).To(Succeed())
		stored := plainPod(tenant)
		create(ctx, stored)
		for _, pod := range []*corev1.Pod{dry, stored} {
			Expect(pod.Spec.Containers[0].EnvFrom).To(HaveExactElements(HaveField("SecretRef.Name", v1alpha1.BundleUserEnv)))
			Expect(places(pod)).To(Equal(map[string]string{
				projector.DefaultUserDir: "latchkey-user/", "/root/.config/gh/token": "latchkey-user-paths/gh",
			}))
		}
		Expect(dry.Spec.Volumes).To(Equal(stored.Spec.Volumes))
		// The API server has filled in defaults meanwhile: a second admission finds nothing to do.
		again := projector.Project(stored, projector.Content{
			UserEnv: v1alpha1.BundleUserEnv, UserFiles: v1alpha1.BundleUserFiles,
			Files: []projector.File{{Key: "gh", Path: "~/.config/gh/token"}},
		}, projector.Options{}).Pod
		Expect(apiequality.Semantic.DeepEqual(again, stored)).To(BeTrue())
	})

	It("is told what its author should know", func(ctx SpecContext) {
		warnings := new(warningCollector)
		config := *cluster.Config
		config.WarningHandlerWithContext = warnings
		listening, err := client.New(&config, client.Options{Scheme: framework.NewScheme()})
		Expect(err).NotTo(HaveOccurred())
		Expect(listening.Create(ctx, plainPod(tenant), client.DryRunAll)).To(Succeed())
		Expect(warnings.texts).To(ContainElement(ContainSubstring("the live directory is current")))
	})

	It("is admitted under Pod Security restricted as it was without secrets", func(ctx SpecContext) {
		restricted := newTenant(ctx)
		inject(ctx, restricted, "pod-security.kubernetes.io/enforce", "restricted", v1alpha1.LabelUser, restricted)
		pod := plainPod(restricted)
		pod.Spec.SecurityContext = &corev1.PodSecurityContext{
			RunAsNonRoot: new(true), RunAsUser: new(int64(1000)), FSGroup: new(int64(1000)),
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		}
		pod.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{
			AllowPrivilegeEscalation: new(false), ReadOnlyRootFilesystem: new(true),
			Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		}
		create(ctx, pod)
		Expect(places(pod)).To(HaveKey(projector.DefaultUserDir))
	})

	It("has the secret that was created a moment before", func(ctx SpecContext) {
		fresh := newTenant(ctx)
		inject(ctx, fresh)
		create(ctx, framework.UserSecret(fresh, "new", v1alpha1.UserSecretSpec{FilePath: "/srv/new", Value: v1alpha1.WriteOnlyString("v")}))
		// The server's cache is milliseconds behind, the status has been written or not.
		Eventually(ctx, func() (map[string]string, error) {
			pod := plainPod(fresh)
			err := api.Create(ctx, pod, client.DryRunAll)
			return places(pod), err
		}).Should(HaveKeyWithValue("/srv/new", "latchkey-user-paths/new"))
	})

	DescribeTable("is left alone",
		func(ctx SpecContext, label string, annotations map[string]string) {
			other := newTenant(ctx)
			if label != "" {
				inject(ctx, other, v1alpha1.LabelInjection, label)
			}
			create(ctx, framework.UserSecret(other, "gh", v1alpha1.UserSecretSpec{EnvName: "GH", Value: v1alpha1.WriteOnlyString("v")}))
			Eventually(ctx, condition(userSecret(other, "gh"))).Should(Equal("True Projected"))
			pod := plainPod(other)
			pod.Annotations = annotations
			create(ctx, pod)
			Expect(pod.Spec.Containers[0].EnvFrom).To(BeEmpty())
			Expect(pod.Spec.Volumes).To(BeEmpty())
		},
		Entry("in a namespace without the label", "", nil),
		Entry("in a namespace with another label", "disabled", nil),
		Entry("if it opts out", "enabled", map[string]string{projector.AnnotationInject: "false"}),
	)

	It("is refused while the server is down, exactly where it would be asked", func(ctx SpecContext) {
		unlabelled := newTenant(ctx)
		system := framework.SystemNamespace
		for _, namespace := range []string{"kube-system", system} { // by mistake
			inject(ctx, namespace)
			DeferCleanup(func(ctx SpecContext) { inject(ctx, namespace, v1alpha1.LabelInjection, "") })
		}
		optedOut := plainPod(tenant)
		optedOut.Annotations = map[string]string{projector.AnnotationInject: "false"}
		mirror := plainPod(tenant)
		mirror.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "x"}
		restricted := plainPod(system)
		restricted.Spec.SecurityContext = &corev1.PodSecurityContext{
			RunAsNonRoot: new(true), SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		}
		restricted.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{
			AllowPrivilegeEscalation: new(false), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		}

		_, err := server.Stop()
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func(ctx SpecContext) {
			Expect(server.Start(ctx)).To(Succeed())
			Expect(cluster.AwaitAdmission(ctx)).To(Succeed())
		})
		Expect(api.Create(ctx, plainPod(tenant), client.DryRunAll)).To(MatchError(ContainSubstring("pods.latchkey.dev")))
		for name, pod := range map[string]*corev1.Pod{
			"unlabelled": plainPod(unlabelled), "kube-system": plainPod("kube-system"),
			"Latchkey's own": restricted, "opted out": optedOut,
		} {
			Expect(api.Create(ctx, pod, client.DryRunAll)).To(Succeed(), name)
		}
		// Only kubelets may create mirror pods; that is what it is refused for.
		Expect(api.Create(ctx, mirror, client.DryRunAll)).NotTo(MatchError(ContainSubstring("pods.latchkey.dev")))
	})
})

// inject labels a namespace: for injection, and with more labels in pairs. An empty
// value takes a label away.
func inject(ctx context.Context, namespace string, more ...string) {
	GinkgoHelper()
	pairs := append([]string{v1alpha1.LabelInjection, "enabled"}, more...)
	modify(ctx, framework.Namespace(namespace), func(n *corev1.Namespace) {
		for i := 0; i < len(pairs); i += 2 {
			metav1.SetMetaDataLabel(&n.ObjectMeta, pairs[i], pairs[i+1])
			if pairs[i+1] == "" {
				delete(n.Labels, pairs[i])
			}
		}
	})
}

// plainPod returns a pod that asks for nothing.
func plainPod(namespace string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "pod-"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "none.invalid/app"}}},
	}
}

// places returns what the first container mounts, by path.
func places(pod *corev1.Pod) map[string]string {
	found := map[string]string{}
	for _, m := range pod.Spec.Containers[0].VolumeMounts {
		found[m.MountPath] = fmt.Sprintf("%s/%s", m.Name, m.SubPath)
	}
	return found
}

// warningCollector keeps the API server's warnings.
type warningCollector struct{ texts []string }

// HandleWarningHeaderWithContext implements rest.WarningHandlerWithContext.
func (c *warningCollector) HandleWarningHeaderWithContext(_ context.Context, _ int, _, text string) {
	c.texts = append(c.texts, text)
}
