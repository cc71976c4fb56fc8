// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"os"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/projector"
	"github.com/latchkey-dev/latchkey/test/conformance"
)

// What docs/projection.md says about permissions, homes, kinds of containers and
// hardened pods, each with a pod that shows it.
var _ = Describe("A secret's file", Ordered, func() {
	var user conformance.Account

	BeforeAll(func(ctx SpecContext) {
		user = newUser(ctx, "files")
		userSecret(ctx, user.Namespace, "token", v1alpha1.UserSecretSpec{EnvName: "TOKEN", FilePath: "~/.tool/token", Value: value("token")})
	})

	It("has the permissions that the pod's users need", func(ctx SpecContext) {
		root := newPod(ctx, user.Namespace, "root", newSpec(as(0, 0, "/root")), nil)
		group := newPod(ctx, user.Namespace, "group", newSpec(as(1000, 2000, home)), nil)
		anybody := newPod(ctx, user.Namespace, "anybody", newSpec(as(1000, 0, home)), nil)
		for _, c := range []struct {
			pod        *corev1.Pod
			home, want string
		}{{root, "/root", "400 0:0"}, {group, home, "440 0:2000"}, {anybody, home, "444 0:0"}} {
			awaitPod(ctx, c.pod)
			for _, path := range []string{c.home + "/.tool/token", userDir + "/token"} {
				Expect(mode(ctx, c.pod, path)).To(Equal(c.want), c.pod.Name)
				Expect(in(ctx, c.pod, "cat", path)).To(Equal(canary+"token"), c.pod.Name)
			}
		}
	})

	It("is in the home, wherever that is", func(ctx SpecContext) {
		// A home that another volume is mounted on, in a hardened pod.
		empty := newPod(ctx, user.Namespace, "home-empty", newSpec(as(1000, 1000, "/work"), hardened, func(s *corev1.PodSpec) {
			s.Volumes = append(s.Volumes, corev1.Volume{Name: "work", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}})
			s.Containers[0].VolumeMounts = append(s.Containers[0].VolumeMounts, corev1.VolumeMount{Name: "work", MountPath: "/work"})
		}), nil)
		// The annotation is for all containers, whatever HOME says.
		named := newPod(ctx, user.Namespace, "home-named", newSpec(as(1000, 1000, home)), map[string]string{projector.AnnotationHome: "/srv"})
		byDefault := newPod(ctx, user.Namespace, "home-default", newSpec(), nil)
		for pod, path := range map[*corev1.Pod]string{empty: "/work", named: "/srv", byDefault: "/root"} {
			awaitPod(ctx, pod)
			Expect(in(ctx, pod, "cat", path+"/.tool/token")).To(Equal(canary+"token"), pod.Name)
		}
		in(ctx, empty, "sh", "-c", "echo mine > /work/own && cat /work/own")
	})

	It("is in a home on a persistent volume, again and again", func(ctx SpecContext) {
		claim := newClaim(ctx, user.Namespace)
		for _, name := range []string{"home-first", "home-second"} {
			pod := newPod(ctx, user.Namespace, name, newSpec(as(0, 0, "/data"), func(s *corev1.PodSpec) {
				s.Volumes = append(s.Volumes, corev1.Volume{Name: "data", VolumeSource: corev1.VolumeSource{
					PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim}}})
				s.Containers[0].VolumeMounts = append(s.Containers[0].VolumeMounts, corev1.VolumeMount{Name: "data", MountPath: "/data"})
			}), nil)
			awaitPod(ctx, pod)
			Expect(in(ctx, pod, "cat", "/data/.tool/token")).To(Equal(canary + "token"))
			in(ctx, pod, "sh", "-c", "echo "+name+" >> /data/visits")
			Expect(api.Delete(ctx, pod)).To(Succeed())
		}
		// What is left behind on the volume is an empty file, not the secret.
		plain := newPod(ctx, user.Namespace, "home-plain", newSpec(func(s *corev1.PodSpec) {
			s.Volumes = append(s.Volumes, corev1.Volume{Name: "data", VolumeSource: corev1.VolumeSource{
				PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim}}})
			s.Containers[0].VolumeMounts = append(s.Containers[0].VolumeMounts, corev1.VolumeMount{Name: "data", MountPath: "/data"})
		}), map[string]string{projector.AnnotationInject: "false"})
		awaitPod(ctx, plain)
		Expect(in(ctx, plain, "cat", "/data/visits")).To(Equal("home-first\nhome-second"))
		Expect(in(ctx, plain, "stat", "-c", "%F", "/data/.tool/token")).To(Equal("regular empty file"))
		Expect(variables(ctx, plain, "main")).NotTo(HaveKey("TOKEN"), "it opted out")
	})

	It("is in init containers and sidecars, and not where it is not wanted", func(ctx SpecContext) {
		pod := newPod(ctx, user.Namespace, "containers", newSpec(func(s *corev1.PodSpec) {
			notes := corev1.VolumeMount{Name: "notes", MountPath: "/notes"}
			first := newContainer("first")
			first.Command = []string{"sh", "-c", `cat /root/.tool/token > /notes/file && printf %s "$TOKEN" > /notes/variable`}
			first.VolumeMounts = []corev1.VolumeMount{notes}
			sidecar := newContainer("sidecar")
			sidecar.RestartPolicy = ptr.To(corev1.ContainerRestartPolicyAlways)
			s.InitContainers = []corev1.Container{first, sidecar}
			s.Containers[0].VolumeMounts = []corev1.VolumeMount{notes}
			s.Containers = append(s.Containers, newContainer("second"), newContainer("proxy"))
			s.Volumes = []corev1.Volume{{Name: "notes", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
		}), map[string]string{projector.AnnotationSkipContainers: "proxy"})
		awaitPod(ctx, pod)
		Expect(in(ctx, pod, "cat", "/notes/file")).To(Equal(canary+"token"), "the init container's file")
		Expect(in(ctx, pod, "cat", "/notes/variable")).To(Equal(canary+"token"), "the init container's variable")
		for _, container := range []string{"main", "second", "sidecar"} {
			Expect(inContainer(ctx, pod, container, "cat", "/root/.tool/token")).To(Equal(canary+"token"), container)
			Expect(inContainer(ctx, pod, container, "cat", userDir+"/token")).To(Equal(canary+"token"), container)
			Expect(variables(ctx, pod, container)).To(HaveKeyWithValue("TOKEN", canary+"token"), container)
		}
		Expect(variables(ctx, pod, "proxy")).NotTo(HaveKey("TOKEN"))
		_, err := tryIn(ctx, pod, "proxy", "stat", userDir)
		Expect(err).To(HaveOccurred(), "it was to be skipped")
	})
})

var _ = Describe("A namespace", func() {
	It("that enforces Pod Security restricted has secrets in pods that it admits", func(ctx SpecContext) {
		user := newUser(ctx, "restricted", labels{"pod-security.kubernetes.io/enforce": "restricted"})
		userSecret(ctx, user.Namespace, "token", v1alpha1.UserSecretSpec{EnvName: "TOKEN", FilePath: "~/.tool/token", Value: value("token")})
		// With a read-only root, the way to a file has to be there: here by a volume.
		newDeployment(ctx, user.Namespace, "web", newSpec(as(1000, 1000, "/work"), hardened, func(s *corev1.PodSpec) {
			s.Volumes = append(s.Volumes, corev1.Volume{Name: "work", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}})
			s.Containers[0].VolumeMounts = append(s.Containers[0].VolumeMounts, corev1.VolumeMount{Name: "work", MountPath: "/work"})
		}))
		pod := podOf(ctx, user.Namespace, "web")
		Expect(in(ctx, pod, "cat", "/work/.tool/token")).To(Equal(canary + "token"))
		Expect(in(ctx, pod, "cat", userDir+"/token")).To(Equal(canary + "token"))
		Expect(variables(ctx, pod, "main")).To(HaveKeyWithValue("TOKEN", canary+"token"))
		_, err := tryIn(ctx, pod, "main", "touch", "/anything")
		Expect(err).To(MatchError(ContainSubstring("Read-only file system")))
		Expect(api.Create(ctx, &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: user.Namespace, Name: "loose"}, Spec: newSpec(),
		})).To(MatchError(ContainSubstring("violates PodSecurity")), "the namespace enforces what it says")
	})

	It("without the label is left alone, though it has secrets", func(ctx SpecContext) {
		name := tenantName("plain")
		newNamespace(ctx, "plain", labels{v1alpha1.LabelUser: name})
		userSecret(ctx, name, "token", v1alpha1.UserSecretSpec{EnvName: "TOKEN", FilePath: "~/token", Value: value("token")})
		asked := newSpec()
		pod := newPod(ctx, name, "plain", *asked.DeepCopy(), nil)
		awaitPod(ctx, pod)
		Expect(pod.Spec.Volumes).To(BeEmpty())
		Expect(pod.Spec.Containers[0].VolumeMounts).To(BeEmpty())
		Expect(pod.Spec.Containers[0].EnvFrom).To(BeEmpty())
		Expect(pod.Annotations).To(BeEmpty())
		Expect(variables(ctx, pod, "main")).NotTo(HaveKey("TOKEN"))
		_, err := tryIn(ctx, pod, "main", "stat", userDir)
		Expect(err).To(HaveOccurred())
	})
})

// hardened makes a pod one that "restricted" admits, with a root that cannot be written.
func hardened(spec *corev1.PodSpec) {
	spec.SecurityContext.RunAsNonRoot = ptr.To(true)
	spec.SecurityContext.SeccompProfile = &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}
	for i := range spec.Containers {
		spec.Containers[i].SecurityContext = &corev1.SecurityContext{
			AllowPrivilegeEscalation: ptr.To(false),
			Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			ReadOnlyRootFilesystem:   ptr.To(true),
		}
	}
}

// newClaim returns a claim on a persistent volume: of the cluster's default class if it
// has one, else on a folder of the node, which E2E_VOLUMES names.
func newClaim(ctx context.Context, namespace string) string {
	GinkgoHelper()
	claim := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "data"},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("10Mi")}},
		},
	}
	if !hasDefaultClass(ctx) {
		folder := os.Getenv("E2E_VOLUMES")
		if folder == "" {
			Skip("the cluster has no default StorageClass, and E2E_VOLUMES names no folder of its only node")
		}
		volume := &corev1.PersistentVolume{
			ObjectMeta: metav1.ObjectMeta{Name: namespace + "-" + claim.Name},
			Spec: corev1.PersistentVolumeSpec{
				AccessModes: claim.Spec.AccessModes, Capacity: claim.Spec.Resources.Requests,
				PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimRetain,
				PersistentVolumeSource: corev1.PersistentVolumeSource{HostPath: &corev1.HostPathVolumeSource{
					Path: folder + "/" + namespace + "-" + claim.Name, Type: ptr.To(corev1.HostPathDirectoryOrCreate),
				}},
				ClaimRef: &corev1.ObjectReference{Namespace: namespace, Name: claim.Name},
			},
		}
		create(ctx, volume)
		DeferCleanup(func(ctx SpecContext) { Expect(api.Delete(ctx, volume)).To(Succeed()) })
		claim.Spec.StorageClassName = ptr.To("")
		claim.Spec.VolumeName = volume.Name
	}
	create(ctx, claim)
	return claim.Name
}

func hasDefaultClass(ctx context.Context) bool {
	GinkgoHelper()
	list := &storagev1.StorageClassList{}
	Expect(api.List(ctx, list)).To(Succeed())
	for i := range list.Items {
		if list.Items[i].Annotations["storageclass.kubernetes.io/is-default-class"] == "true" {
			return true
		}
	}
	return false
}
