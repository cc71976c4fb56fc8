// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
)

// writer lets a user write the objects of a namespace, and read no value.
func writer(ctx context.Context, namespace, user string) {
	GinkgoHelper()
	Expect(api.Create(ctx, &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: user}, Rules: []rbacv1.PolicyRule{{
		APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"usersecrets", "agentsecrets"}, Verbs: []string{"get", "list", "create", "patch", "update"},
	}}})).To(Succeed())
	Expect(api.Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: user}, RoleRef: rbacv1.RoleRef{Kind: "Role", Name: user},
		Subjects: []rbacv1.Subject{{Kind: "User", Name: user}},
	})).To(Succeed())
}

// deployment makes one that asks for restarts.
func deployment(ctx context.Context, namespace, name string) {
	GinkgoHelper()
	labels := map[string]string{"app": name}
	Expect(api.Create(ctx, &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Annotations: map[string]string{v1alpha1.AnnotationRestart: "true"}},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i"}}}},
		},
	})).To(Succeed())
}

// versions returns the versions of the UserSecrets.
func versions(ctx context.Context, namespace string) map[string]string {
	GinkgoHelper()
	all := &v1alpha1.UserSecretList{}
	Expect(api.List(ctx, all, client.InNamespace(namespace))).To(Succeed())
	found := map[string]string{}
	for _, u := range all.Items {
		found[u.Name] = u.ResourceVersion
	}
	return found
}

var _ = Describe("plan", func() {
	// three are a namespace's secrets, and edited is a manifest of them.
	three := func(ctx SpecContext) (ns, edited string) {
		ns = newTenant(ctx)
		succeed(ctx, ns, canary+"-a", "set", "a", "--env", "A", "--wait")
		succeed(ctx, ns, canary+"-b", "set", "b", "--env", "B", "--wait")
		succeed(ctx, ns, canary+"-c", "set", "c", "--env", "C", "--file", "~/c", "--wait")
		edited = manifest("UserSecret", ns, "a", "envName: A\nvalue: "+canary+"-a") +
			manifest("UserSecret", ns, "b", "envName: B\nvalue: "+canary+"-other") +
			manifest("UserSecret", ns, "c", "envName: C2\nfilePath: ~/c\nvalue: "+canary+"-c")
		return ns, edited
	}

	It("says of each object what would become of it, what pods gain and lose, and who restarts or keeps old values", func(ctx SpecContext) {
		ns, edited := three(ctx)
		deployment(ctx, ns, "web")
		runningPod(ctx, ns, "bare", 48*time.Hour)
		before := versions(ctx, ns)
		text := edited + manifest("UserSecret", ns, "d", "envName: D\nfilePath: ~/.d\nvalue: "+canary+"-d") +
			manifest("UserSecret", ns, "e", "envName: D\nvalue: "+canary+"-e") +
			manifest("UserSecret", ns, "f", "envName: A\nvalue: "+canary+"-f") +
			manifest("UserSecret", ns, "g", "envName: PATH\nvalue: "+canary+"-g") +
			manifest("AgentSecret", ns, "h", "path: [db, password]\nsecretType: "+str+"\nvalue: "+canary+"-h")
		got := run(ctx, ns, text, "plan", "-f", "-")
		Expect(got.code).To(Equal(4), got.stderr)
		Expect(strings.ReplaceAll(got.stdout, ns, "NS")).To(MatchRegexp(`^NAMESPACE +KIND +NAME +ACTION +WHAT
NS +UserSecret +a +same +
NS +UserSecret +b +change +value: changed
NS +UserSecret +c +change +envName, value: same
NS +UserSecret +d +create +
NS +UserSecret +e +create +would be stored, with Conflict: environment variable "D" is held by d: choose another, or delete one of the two
NS +UserSecret +f +refused +spec.envName: environment variable already in use: "A" is claimed by a; choose another, or delete that one first
NS +UserSecret +g +refused +spec.envName: .*
NS +AgentSecret +h +create +
\+ variable C2 of NS/c
\+ variable D of NS/d
\+ variable DB_PASSWORD of NS/h
- variable C of NS/c
\+ file /run/latchkey/agent/db.password of NS/h
\+ file ~/.d of NS/d
deploy/web in NS restarts
pod/bare in NS keeps the old value of b: pod bare, container app, as variable
pod/bare in NS keeps the old value of c: pod bare, container app, as variable
3 to create, 2 to change, 0 with a value set, 1 the same, 2 refused
$`))
		Expect(versions(ctx, ns)).To(Equal(before), "nothing was stored")
	})

	It("ends with 4 where something would change, if it is asked to", func(ctx SpecContext) {
		ns, edited := three(ctx)
		same := manifest("UserSecret", ns, "a", "envName: A\nvalue: "+canary+"-a")
		Expect(run(ctx, ns, same, "plan", "-f", "-", "--exit-code")).To(ends(0))
		Expect(run(ctx, ns, edited, "plan", "-f", "-")).To(ends(0))
		Expect(run(ctx, ns, edited, "plan", "-f", "-", "--exit-code")).To(ends(4))
		Expect(run(ctx, ns, "{{- if .Values.a }}\nkind: UserSecret\n{{- end }}\n", "plan", "-f", "-")).To(And(ends(4), prints(ContainSubstring("it is a template"))))
		Expect(run(ctx, ns, "", "plan")).To(ends(2))
	})

	It("is no oracle: who may not read a value is told the same, whatever it is", func(ctx SpecContext) {
		ns, edited := three(ctx)
		writer(ctx, ns, "manager")
		var plan struct {
			Objects  []struct{ Name, Action, Value string }
			Restarts []any
			Unknown  []string
		}
		Eventually(func(g Gomega) {
			got := run(ctx, ns, edited, "plan", "-f", "-", "-o", "json", "--as", "manager")
			g.Expect(got.code).To(Equal(4), "not all of it is known: %s", got.stderr)
			g.Expect(json.Unmarshal([]byte(got.stdout), &plan)).To(Succeed())
		}).Should(Succeed())
		Expect(plan.Objects).To(HaveExactElements(
			HaveField("Action", "value: set"), HaveField("Action", "value: set"), And(HaveField("Action", "change"), HaveField("Value", "set"))))
		Expect(plan.Unknown).To(ConsistOf(
			And(HavePrefix("which workloads of namespace "+ns+" will restart: manager may not list deployments.apps in namespace "+ns), ContainSubstring(" grants it:\n")),
			And(HavePrefix("which containers of namespace "+ns+" keep old values: manager may not list pods in namespace "+ns), ContainSubstring(" grants it:\n"))))
		equal := run(ctx, ns, manifest("UserSecret", ns, "a", "envName: A\nvalue: "+canary+"-a"), "plan", "-f", "-", "--as", "manager")
		other := run(ctx, ns, manifest("UserSecret", ns, "a", "envName: A\nvalue: "+canary+"-z"), "plan", "-f", "-", "--as", "manager")
		Expect(equal).To(Equal(other))
		Expect(equal.stdout).To(ContainSubstring("value: set"))
	})

	It("says who may not write the objects, and stops where nobody may look", func(ctx SpecContext) {
		ns, edited := three(ctx)
		Expect(run(ctx, ns, edited, "plan", "-f", "-", "--as", "nobody")).To(And(ends(3), notices(ContainSubstring("nobody may not list usersecrets"))))
	})
})
