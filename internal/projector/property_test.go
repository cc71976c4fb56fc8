// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package projector_test

import (
	"fmt"
	"math/rand/v2"
	"path"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/latchkey-dev/latchkey/internal/projector"
)

// TestLaws holds random pods, contents and options against what is promised of every projection.
func TestLaws(t *testing.T) {
	var projected, warned int
	for seed := range uint64(1000) {
		g := newGenerator(seed)
		pod, content, options := g.pod(), g.content(), g.options()
		before := pod.DeepCopy()
		result := projector.Project(pod, content, options)

		checkIdempotent(t, result.Pod, content, options)
		checkSame(t, "Unproject(projected pod) is not the pod before", before, projector.Unproject(result.Pod))
		checkAcceptable(t, before, result.Pod)
		checkSame(t, "the pod that went in has changed", before, pod)

		// Another webhook adds to the pod, then admission is invoked again.
		changed, more := result.Pod.DeepCopy(), g.rand.Uint64()
		newGenerator(more).add(before)
		newGenerator(more).add(changed)
		again := projector.Project(changed, content, options)
		checkIdempotent(t, again.Pod, content, options)
		checkSame(t, "Unproject(pod projected again) is not the pod before", before, projector.Unproject(again.Pod))
		checkAcceptable(t, before, again.Pod)

		if t.Failed() {
			t.Fatalf("seed %d, content %+v, options %+v", seed, content, options)
		}
		if len(again.Pod.Spec.Volumes) > len(before.Spec.Volumes) {
			projected++
		}
		if len(again.Warnings) > 1 {
			warned++
		}
	}
	if projected < 300 || warned < 300 {
		t.Errorf("only %d pods got volumes and %d warnings: the generator does not test what it should", projected, warned)
	}
}

// checkAcceptable checks what the API server, the kubelet and the runtime would refuse.
func checkAcceptable(t *testing.T, before, after *corev1.Pod) {
	t.Helper()
	volumes := map[string]bool{}
	for _, v := range after.Spec.Volumes {
		if volumes[v.Name] {
			t.Errorf("two volumes named %q", v.Name)
		}
		volumes[v.Name] = true
	}
	own := map[string]bool{}
	for _, v := range before.Spec.Volumes {
		own[v.Name] = true
	}
	for _, c := range append(after.Spec.InitContainers, after.Spec.Containers...) {
		for i, m := range c.VolumeMounts {
			if !volumes[m.Name] {
				t.Errorf("container %s mounts %q, which is no volume", c.Name, m.Name)
			}
			if own[m.Name] {
				continue
			}
			if !m.ReadOnly {
				t.Errorf("container %s: %s is writable", c.Name, m.MountPath)
			}
			for j, other := range c.VolumeMounts {
				at, place := path.Clean("/"+other.MountPath), m.MountPath
				switch {
				case i == j:
				case at == place, strings.HasPrefix(at, place+"/"):
					t.Errorf("container %s: %s at or above %s", c.Name, place, at)
				case !own[other.Name] && strings.HasPrefix(place, at+"/"):
					t.Errorf("container %s: %s below %s of ours", c.Name, place, at)
				}
			}
		}
	}
}

// generator makes pods of few names and paths, so that they meet.
type generator struct{ rand *rand.Rand }

func newGenerator(seed uint64) generator {
	return generator{rand.New(rand.NewPCG(seed, 0))} //nolint:gosec // seeded, so that a failure can be seen again
}

func (g generator) oneIn(n int) bool { return g.rand.IntN(n) == 0 }

func (g generator) pick(from ...string) string { return from[g.rand.IntN(len(from))] }

func (g generator) path() string {
	p := g.pick("/root", "/home/user", "/data", "", "/run/latchkey", "/etc")
	for range g.rand.IntN(3) {
		p += g.pick("/a", "/b", "/user", "/.netrc", "//c", "/./a")
	}
	return p + g.pick("/x", "/y", "/.netrc", "/", "/agent")
}

func (g generator) content() projector.Content {
	c := both
	c.Files = nil
	for _, name := range []*string{&c.UserEnv, &c.UserFiles, &c.AgentEnv, &c.AgentFiles} {
		if g.oneIn(4) {
			*name = ""
		}
	}
	for i := range g.rand.IntN(12) {
		p := g.path()
		if g.oneIn(2) {
			p = "~/" + strings.TrimPrefix(p, "/")
		}
		c.Files = append(c.Files, projector.File{Key: fmt.Sprintf("key-%d", i%10), Path: p})
	}
	return c
}

func (g generator) options() (o projector.Options) {
	if g.oneIn(4) {
		o = projector.Options{DefaultHome: "/home/user", UserDir: g.pick("", "/data/a"), AgentDir: g.pick("", "/data/a/b")}
	}
	return o
}

func (g generator) pod() *corev1.Pod {
	pod := &corev1.Pod{}
	pod.Name = "pod"
	annotate := func(key string, values ...string) {
		if g.oneIn(5) {
			if pod.Annotations == nil {
				pod.Annotations = map[string]string{}
			}
			pod.Annotations[key] = g.pick(values...)
		}
	}
	annotate(projector.AnnotationInject, "true", "maybe", "true", "false")
	annotate(projector.AnnotationSkipContainers, "c0", "c1,i0", "i1 , other")
	annotate(projector.AnnotationHome, "/home/user", "/", "nowhere", "/data")
	if g.oneIn(3) {
		pod.Spec.SecurityContext = &corev1.PodSecurityContext{}
		if g.oneIn(2) {
			pod.Spec.SecurityContext.FSGroup = new(int64(1000))
		}
		if g.oneIn(2) {
			pod.Spec.SecurityContext.RunAsUser = new(int64(g.rand.IntN(2)))
		}
	}
	if g.oneIn(8) {
		pod.Spec.HostUsers = new(g.oneIn(2))
	}
	for i, source := range []corev1.VolumeSource{
		{EmptyDir: &corev1.EmptyDirVolumeSource{}},
		{ConfigMap: &corev1.ConfigMapVolumeSource{}},
		{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "c"}},
	} {
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: fmt.Sprintf("v%d", i), VolumeSource: source})
	}
	if g.oneIn(8) {
		pod.Spec.Volumes[0].Name = g.pick(projector.UserVolume, projector.UserPathsVolume, projector.AgentVolume)
	}
	for i := range g.rand.IntN(3) {
		pod.Spec.InitContainers = append(pod.Spec.InitContainers, g.container(fmt.Sprintf("i%d", i), pod.Spec.Volumes))
	}
	for i := range 1 + g.rand.IntN(3) {
		pod.Spec.Containers = append(pod.Spec.Containers, g.container(fmt.Sprintf("c%d", i), pod.Spec.Volumes))
	}
	return pod
}

func (g generator) container(name string, volumes []corev1.Volume) corev1.Container {
	c := corev1.Container{Name: name}
	if g.oneIn(4) {
		c.SecurityContext = &corev1.SecurityContext{RunAsUser: new(int64(g.rand.IntN(2)))}
	}
	if g.oneIn(4) {
		c.WorkingDir = g.path()
	}
	for range g.rand.IntN(2) {
		c.Env = append(c.Env, corev1.EnvVar{Name: "HOME", Value: g.pick("/home/user", "/data", "$(X)", "")})
	}
	for range g.rand.IntN(3) {
		// Never an optional bundle without prefix at the front: that would be ours.
		source := corev1.EnvFromSource{SecretRef: &corev1.SecretEnvSource{Optional: new(g.oneIn(2))}}
		source.SecretRef.Name = g.pick("own", projector.UserEnvBundle)
		source.Prefix = g.pick("A_", "B_")
		c.EnvFrom = append(c.EnvFrom, source)
	}
	g.mount(&c, volumes)
	return c
}

// mount adds mounts at paths that the container does not mount yet.
func (g generator) mount(c *corev1.Container, volumes []corev1.Volume) {
	taken := map[string]bool{}
	for _, m := range c.VolumeMounts {
		taken[m.MountPath] = true
	}
	for range g.rand.IntN(4) {
		m := corev1.VolumeMount{Name: volumes[g.rand.IntN(len(volumes))].Name, MountPath: g.path(), ReadOnly: g.oneIn(4)}
		if !taken[m.MountPath] {
			taken[m.MountPath] = true
			c.VolumeMounts = append(c.VolumeMounts, m)
		}
	}
}

// add is another webhook: it does the same to a pod before and after projection.
func (g generator) add(pod *corev1.Pod) {
	volumes := []corev1.Volume{{Name: "added", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
	pod.Spec.Volumes = append(pod.Spec.Volumes, volumes...)
	if g.oneIn(2) {
		pod.Spec.Containers = append(pod.Spec.Containers, g.container("added", volumes))
	}
	if g.oneIn(2) {
		pod.Spec.InitContainers = append([]corev1.Container{g.container("added-first", volumes)}, pod.Spec.InitContainers...)
	}
	c := &pod.Spec.Containers[0]
	c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: "added", MountPath: g.pick("/added", "/root/x", "/data/a")})
	c.EnvFrom = append(c.EnvFrom, corev1.EnvFromSource{Prefix: "ADDED_", SecretRef: &corev1.SecretEnvSource{}})
}
