// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package attacks

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/projector"
	"github.com/latchkey-dev/latchkey/test/conformance"
	"github.com/latchkey-dev/latchkey/test/framework"
)

// target is where a secret asks to be.
type target struct{ env, file string }

// waysToWrite are the ways to write a user secret.
var waysToWrite = map[string]func(ctx context.Context, by conformance.Account, name string, at target) error{
	"by REST, without any RBAC": byREST,
	"by kubectl":                byKubectl,
}

func byREST(ctx context.Context, by conformance.Account, name string, at target) error {
	ca, err := stack.RESTAuthority(ctx)
	if err != nil {
		return err
	}
	url, err := stack.Server.RESTURL()
	if err != nil {
		return err
	}
	face, err := conformance.Direct(url, ca)
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]string{"name": name, "value": "code", "env_name": at.env, "file_path": at.file})
	if err != nil {
		return err
	}
	answer, err := face.Do(ctx, http.MethodPost, face.Coder+"/users/me/secrets", http.Header{"Authorization": {"Bearer " + by.Token}}, string(body))
	if err == nil && answer.Status != http.StatusCreated {
		err = fmt.Errorf("%+v is answered with %d: %s", at, answer.Status, answer.Body)
	}
	return err
}

func byKubectl(ctx context.Context, by conformance.Account, name string, at target) error {
	return api.Create(ctx, framework.UserSecret(by.Namespace, name, v1alpha1.UserSecretSpec{
		Name: name, EnvName: at.env, FilePath: at.file, Value: v1alpha1.WriteOnlyString("code"),
	}))
}

// podTenant makes a user with a namespace of injection, where others run pods too.
func podTenant(ctx context.Context, injection string) (owner conformance.Account, namespace string) {
	GinkgoHelper()
	name := "pods-" + rand.String(8)
	tenants := conformance.Tenants{Admin: api, Labels: map[string]string{v1alpha1.LabelInjection: injection, v1alpha1.LabelEnvironment: name}}
	owner, err := tenants.NewUser(ctx, name)
	Expect(err).NotTo(HaveOccurred())
	return owner, owner.Namespace
}

// othersPod creates a pod of another author, and returns what was admitted.
func othersPod(ctx context.Context, namespace string, annotations map[string]string, more ...client.CreateOption) *corev1.Pod {
	GinkgoHelper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "pod-", Annotations: annotations},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: "app", Image: "none.invalid/app", Env: []corev1.EnvVar{{Name: "HOME", Value: "/home/app"}},
		}}},
	}
	Expect(api.Create(ctx, pod, more...)).To(Succeed())
	return pod
}

// places returns where the first container mounts files of their own.
func places(pod *corev1.Pod) []string {
	var found []string
	for _, m := range pod.Spec.Containers[0].VolumeMounts {
		if m.SubPath != "" {
			found = append(found, m.MountPath)
		}
	}
	return found
}

// keysOf returns the keys of a native Secret, none where there is none.
func keysOf(ctx context.Context, namespace, name string) func() ([]string, error) {
	return func() ([]string, error) {
		secret := &corev1.Secret{}
		err := client.IgnoreNotFound(api.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, secret))
		var keys []string
		for key := range secret.Data {
			keys = append(keys, key)
		}
		return keys, err
	}
}

// verdicts returns the reason of Ready by the documented name of each user secret.
func verdicts(ctx context.Context, namespace string) func() (map[string]string, error) {
	return func() (map[string]string, error) {
		all := &v1alpha1.UserSecretList{}
		err := api.List(ctx, all, client.InNamespace(namespace))
		found := map[string]string{}
		for _, u := range all.Items {
			if ready := apimeta.FindStatusCondition(u.Status.Conditions, v1alpha1.ConditionReady); ready != nil {
				found[u.Spec.Name] = ready.Reason
			}
		}
		return found, err
	}
}

var _ = Describe("The author of a user secret", func() {
	// Every path of a row must be refused for the row's reason.
	attacks := map[string][]target{
		v1alpha1.ReasonTargetRefused: {
			{env: "PYTHONPATH"}, {env: "NODE_OPTIONS"}, {env: "node_options"}, {env: "PERL5OPT"}, {env: "RUBYOPT"}, {env: "JAVA_TOOL_OPTIONS"}, {env: "PROMPT_COMMAND"}, {env: "GCONV_PATH"},
			{file: "/etc/passwd"}, {file: "/etc/ld.so.preload"}, {file: "/etc/nsswitch.conf"}, {file: "/etc/profile.d/x.sh"}, {file: "/lib/x"}, {file: "/lib64/x"}, {file: "/usr/local/bin/x"}, {file: "/bin/x"},
			{file: "/usr/lib/python3/dist-packages/sitecustomize.py"}, {file: "//etc/./passwd/x"}, {file: "~/.bashrc"}, {file: "/home/app/.profile"}, {file: "~/.ssh/authorized_keys"},
			{file: "~/.local/lib/python3.12/site-packages/usercustomize.py"}, {file: "~/.config/autostart/x.desktop"}, {file: "~/node_modules/x/index.js"}, {file: "~/bin/ls"},
		},
		v1alpha1.ReasonPathNotProjectable: {
			{file: "/var/../etc/passwd"}, {file: "/run/../etc"}, {file: "/proc/self/root/etc/passwd"}, {file: "/dev/fd/0"}, {file: "/etc/"},
		},
	}
	for face, write := range waysToWrite {
		It("cannot run code in others' pods, "+face, func(ctx SpecContext) {
			owner, tenant := podTenant(ctx, v1alpha1.InjectionEnabled)
			Eventually(func() error { // until the server knows the user
				return write(ctx, owner, "control", target{"GITHUB_TOKEN", "~/.config/gh/token"})
			}).Should(Succeed())
			want := map[string]string{"control": v1alpha1.ReasonProjected}
			for reason, targets := range attacks {
				for i, at := range targets {
					name := fmt.Sprintf("%s-%d", strings.ToLower(reason), i)
					Expect(write(ctx, owner, name, at)).To(Succeed(), "the contract takes it")
					want[name] = reason
				}
			}
			Eventually(verdicts(ctx, tenant)).Should(Equal(want))
			// The control is there, and nothing besides.
			Eventually(keysOf(ctx, tenant, v1alpha1.BundleUserEnv)).Should(ConsistOf("GITHUB_TOKEN"))
			Eventually(keysOf(ctx, tenant, v1alpha1.BundleUserFiles)).Should(ConsistOf("control"))
			Eventually(func() []string { return places(othersPod(ctx, tenant, nil, client.DryRunAll)) }).
				Should(ConsistOf("/home/app/.config/gh/token"))
			Expect(places(othersPod(ctx, tenant, nil))).To(ConsistOf("/home/app/.config/gh/token"))
		})
	}

	It("reaches no place of the system through a pod's own home", func(ctx SpecContext) {
		owner, tenant := podTenant(ctx, v1alpha1.InjectionEnabled)
		for name, file := range map[string]string{"passwd": "~/etc/passwd", "control": "~/.netrc"} {
			Expect(byKubectl(ctx, owner, name, target{file: file})).To(Succeed())
		}
		at := func(home string) func() []string {
			return func() []string {
				return places(othersPod(ctx, tenant, map[string]string{projector.AnnotationHome: home}, client.DryRunAll))
			}
		}
		Eventually(at("/home/app")).Should(ConsistOf("/home/app/.netrc", "/home/app/etc/passwd"))
		Expect(at("/")()).To(ConsistOf("/.netrc"))
	})

	It("puts nothing into pods that did not ask, where the namespace says so", func(ctx SpecContext) {
		owner, tenant := podTenant(ctx, v1alpha1.InjectionOptIn)
		Expect(byKubectl(ctx, owner, "token", target{"TOKEN", "~/.token"})).To(Succeed())
		asking := map[string]string{projector.AnnotationInject: "true"}
		Eventually(func() []string { return places(othersPod(ctx, tenant, asking, client.DryRunAll)) }).Should(ConsistOf("/home/app/.token"))
		for _, annotations := range []map[string]string{nil, {}, {projector.AnnotationInject: ""}, {projector.AnnotationInject: "yes"}, {projector.AnnotationInject: "false"}} {
			pod := othersPod(ctx, tenant, annotations)
			Expect(pod.Spec.Containers[0].EnvFrom).To(BeEmpty())
			Expect(pod.Spec.Containers[0].VolumeMounts).To(BeEmpty())
			Expect(pod.Spec.Volumes).To(BeEmpty())
		}
		// A pod that asks for nothing does not depend on Latchkey either.
		_, err := stack.Server.Stop()
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(startServer)
		othersPod(ctx, tenant, nil)
	})

	It("has what the installation allows, and not what it refuses besides", func(ctx SpecContext) {
		flags := []string{"--file-roots=~,/opt/app", "--refused-variables=OURS_*", "--allowed-variables=NODE_OPTIONS"}
		for _, p := range []*framework.Process{stack.Controller, stack.Server} {
			Expect(p.Restart(ctx, flags...)).To(Succeed())
			DeferCleanup(func(ctx SpecContext) { Expect(p.Restart(ctx)).To(Succeed()) })
		}
		Expect(stack.AwaitAdmission(ctx)).To(Succeed())
		owner, tenant := podTenant(ctx, v1alpha1.InjectionEnabled)
		for name, at := range map[string]target{
			"a": {"NODE_OPTIONS", "/opt/app/token"}, "b": {"OURS_TOKEN", "/run/token"}, "c": {"PYTHONPATH", "/opt/app/bin/token"},
		} {
			Expect(byKubectl(ctx, owner, name, at)).To(Succeed())
		}
		Eventually(verdicts(ctx, tenant)).Should(Equal(map[string]string{
			"a": v1alpha1.ReasonProjected, "b": v1alpha1.ReasonTargetRefused, "c": v1alpha1.ReasonTargetRefused,
		}))
		Eventually(keysOf(ctx, tenant, v1alpha1.BundleUserEnv)).Should(ConsistOf("NODE_OPTIONS"))
		Eventually(func() []string { return places(othersPod(ctx, tenant, nil, client.DryRunAll)) }).Should(ConsistOf("/opt/app/token"))
	})
})

var _ = Describe("The author of an agent secret", func() {
	It("cannot run code in the environment's pods", func(ctx SpecContext) {
		_, tenant := podTenant(ctx, v1alpha1.InjectionEnabled)
		write := func(name, env, file string, path ...string) error {
			a := framework.AgentSecret(tenant, name, `{"type":"Str"}`, `"code"`, path...)
			a.Spec.EnvName, a.Spec.FilePath = env, file
			return api.Create(ctx, a)
		}
		Expect(write("control", "", "", "db", "password")).To(Succeed())
		Expect(write("asked", "NODE_OPTIONS", "", "asked")).To(Succeed())
		Expect(write("path", "PATH", "", "search")).To(Succeed())
		Expect(write("unasked", "", "", "node", "options")).To(Succeed())
		Expect(write("absolute", "", "/etc/passwd", "absolute")).To(MatchError(ContainSubstring("must be a relative path")))
		Eventually(keysOf(ctx, tenant, v1alpha1.BundleAgentFiles)).Should(ConsistOf(
			"db.password", "asked", "search", "node.options", "secrets.json"), "all are there, in the live directory")
		Expect(keysOf(ctx, tenant, v1alpha1.BundleAgentEnv)()).To(ConsistOf("DB_PASSWORD"))
		for name, want := range map[string]string{
			"asked": v1alpha1.ReasonTargetRefused, "path": v1alpha1.ReasonTargetRefused, "unasked": v1alpha1.ReasonProjected,
		} {
			Eventually(func() (string, error) {
				a := framework.AgentSecret(tenant, name, "", "")
				err := api.Get(ctx, client.ObjectKeyFromObject(a), a)
				if ready := apimeta.FindStatusCondition(a.Status.Conditions, v1alpha1.ConditionReady); ready != nil {
					return ready.Reason, err
				}
				return "", err
			}).Should(Equal(want), name)
		}
		Expect(places(othersPod(ctx, tenant, nil))).To(BeEmpty())
	})
})
