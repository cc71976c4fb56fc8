// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package attacks

import (
	"context"
	"fmt"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/controllers/rollout"
	"github.com/latchkey-dev/latchkey/test/framework"
)

// Nothing in this cluster replaces pods: a rollout never becomes ready, which is what a
// tenant achieves elsewhere with an image that does not exist.
var _ = Describe("Restarts of one tenant's workloads", Ordered, func() {
	const places, timeout = 2, 10 * time.Second
	flags := []string{
		"--restart-delay=200ms", "--restart-min-interval=1s", "--rollout-timeout=" + timeout.String(),
		fmt.Sprintf("--max-concurrent-rollouts=%d", places),
	}

	BeforeAll(func(ctx SpecContext) {
		Expect(stack.Controller.Restart(ctx, flags...)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(stack.Controller.Restart(ctx)).To(Succeed()) })
	})

	It("cannot be stopped by other tenants whose workloads never get ready and whose secrets change all the time", func(ctx SpecContext) {
		var stuck []*restartTenant
		for range places {
			t := newRestartTenant(ctx, 5)
			t.refresh()
			stuck = append(stuck, t)
		}
		// The attack is at work: its workloads are rolled, and have all places.
		for _, t := range stuck {
			Eventually(ctx, t.rolled).Should(BeNumerically(">", 0))
		}
		victim := newRestartTenant(ctx, 1)
		for i := range 3 {
			was := victim.hashes(ctx)[0]
			victim.change(ctx, fmt.Sprint("change ", i))
			began := time.Now()
			Eventually(ctx, func(ctx context.Context) string { return victim.hashes(ctx)[0] }, 3*timeout).ShouldNot(Equal(was))
			AddReportEntry("the victim waited", time.Since(began).Round(100*time.Millisecond).String())
			victim.finish(ctx)
		}
	})

	It("cannot be stopped by other tenants who write when they were last rolled", func(ctx SpecContext) {
		for range places {
			t := newRestartTenant(ctx, 5)
			for _, w := range t.workloads {
				t.annotate(ctx, w, map[string]string{rollout.AnnotationRolledAt: "2099-01-01T00:00:00Z"})
			}
		}
		victim := newRestartTenant(ctx, 1)
		// A new leader is who might believe it.
		Expect(stack.Controller.Restart(ctx, flags...)).To(Succeed())
		victim.change(ctx, "changed")
		Eventually(ctx, victim.rolled, timeout/2).Should(Equal(1), "no place is taken")
	})

	It("cannot be stopped by other tenants who lie about what their pods were started with", func(ctx SpecContext) {
		liar := newRestartTenant(ctx, 5)
		victim := newRestartTenant(ctx, 1)
		victim.change(ctx, "changed")
		Eventually(ctx, victim.rolled).Should(Equal(1))
		copied := victim.hashes(ctx)[0]
		for _, w := range liar.workloads {
			liar.annotate(ctx, w, map[string]string{rollout.AnnotationContentHash: copied})
		}
		// The leader knows better, and takes nobody's place for it.
		for _, w := range liar.workloads {
			Eventually(ctx, func(ctx context.Context) (string, error) {
				err := api.Get(ctx, client.ObjectKeyFromObject(w), w)
				return w.Annotations[rollout.AnnotationContentHash], err
			}).ShouldNot(Equal(copied))
		}
		Expect(liar.rolled(ctx)).To(Equal(0))
		// The next leader has only the annotation. It may roll the liar's workloads, and
		// the victim waits for nobody but in turn.
		for _, w := range liar.workloads {
			liar.annotate(ctx, w, map[string]string{rollout.AnnotationContentHash: copied})
		}
		Expect(stack.Controller.Restart(ctx, flags...)).To(Succeed())
		victim.change(ctx, "changed again")
		Eventually(ctx, func(ctx context.Context) string { return victim.hashes(ctx)[0] }, 3*timeout).ShouldNot(Equal(copied))
	})

	It("cannot be stopped or forged by writing the controller's memory", func(ctx SpecContext) {
		t := newRestartTenant(ctx, 1)
		t.change(ctx, "changed")
		Eventually(ctx, t.rolled).Should(Equal(1))
		record := &corev1.ConfigMap{}
		at := client.ObjectKey{Namespace: framework.SystemNamespace, Name: rollout.RecordName}
		Eventually(ctx, func(g Gomega) {
			g.Expect(api.Get(ctx, at, record)).To(Succeed())
			g.Expect(record.Data["restarts.json"]).To(ContainSubstring(t.namespace), "the control: it is there to be written")
		}).Should(Succeed())
		record.Data["restarts.json"] = "[]"
		Expect(apierrors.IsForbidden(t.editor.Get(ctx, at, &corev1.ConfigMap{}))).To(BeTrue())
		Expect(apierrors.IsForbidden(t.editor.Update(ctx, record))).To(BeTrue())
	})
})

// restartTenant is a tenant with Deployments that ask for restarts, and its editor.
type restartTenant struct {
	namespace string
	editor    client.Client
	workloads []*appsv1.Deployment
}

// newRestartTenant returns a tenant with n Deployments whose first digest is noted.
func newRestartTenant(ctx SpecContext, n int) *restartTenant {
	GinkgoHelper()
	ns := framework.Namespace("")
	Expect(api.Create(ctx, ns)).To(Succeed())
	t := &restartTenant{namespace: ns.Name}
	user := "editor-of-" + ns.Name
	role := rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: ns.Name, Name: "editor"}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{"latchkey.dev", "apps"}, Resources: []string{"*"}, Verbs: []string{"*"}},
		{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"*"}},
	}}
	binding := rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns.Name, Name: "editor"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: user}},
	}
	Expect(api.Create(ctx, &role)).To(Succeed())
	Expect(api.Create(ctx, &binding)).To(Succeed())
	var err error
	t.editor, err = stack.AsUser(user)
	Expect(err).NotTo(HaveOccurred())
	secret := framework.UserSecret(t.namespace, "token", v1alpha1.UserSecretSpec{EnvName: "TOKEN", Value: v1alpha1.WriteOnlyString("one")})
	Eventually(ctx, t.editor.Create).WithArguments(ctx, secret).Should(Succeed()) // as soon as the API server knows the role
	Eventually(ctx, func(ctx context.Context) error {
		return api.Get(ctx, client.ObjectKey{Namespace: t.namespace, Name: v1alpha1.BundleUserEnv}, &corev1.Secret{})
	}).Should(Succeed())
	for i := range n {
		labels := map[string]string{"app": fmt.Sprint("web-", i)}
		d := &appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Namespace: t.namespace, Name: fmt.Sprint("web-", i), Annotations: map[string]string{rollout.AnnotationRestart: "true"}},
			Spec: appsv1.DeploymentSpec{Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "none.invalid/app"}}},
			}},
		}
		Expect(t.editor.Create(ctx, d)).To(Succeed())
		t.workloads = append(t.workloads, d)
	}
	DeferCleanup(func(ctx SpecContext) {
		Expect(api.DeleteAllOf(ctx, &appsv1.Deployment{}, client.InNamespace(t.namespace))).To(Succeed())
	})
	for _, d := range t.workloads {
		Eventually(ctx, func(ctx context.Context) (string, error) {
			err := api.Get(ctx, client.ObjectKeyFromObject(d), d)
			return d.Annotations[rollout.AnnotationContentHash], err
		}).ShouldNot(BeEmpty())
	}
	return t
}

// change gives the tenant's secret another value.
func (t *restartTenant) change(ctx context.Context, value string) {
	GinkgoHelper()
	Expect(t.tryChange(ctx, value)).To(Succeed())
}

func (t *restartTenant) tryChange(ctx context.Context, value string) error {
	secret := framework.UserSecret(t.namespace, "token", v1alpha1.UserSecretSpec{})
	return t.editor.Patch(ctx, secret, client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"spec":{"value":%q}}`, value)))
}

// refresh changes the secret over and over, until the spec ends.
func (t *restartTenant) refresh() {
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			_ = t.tryChange(ctx, fmt.Sprint("refreshed ", i)) // that it is rolled shows whether any worked
		}
	})
	DeferCleanup(func() {
		cancel()
		group.Wait()
	})
}

func (t *restartTenant) annotate(ctx context.Context, d *appsv1.Deployment, annotations map[string]string) {
	GinkgoHelper()
	change := d.DeepCopy()
	for name, value := range annotations {
		metav1.SetMetaDataAnnotation(&change.ObjectMeta, name, value)
	}
	Expect(t.editor.Patch(ctx, change, client.MergeFrom(d))).To(Succeed())
}

// hashes reads what the workloads were rolled to; empty where they never were.
func (t *restartTenant) hashes(ctx context.Context) []string {
	GinkgoHelper()
	var all []string
	for _, d := range t.workloads {
		Expect(api.Get(ctx, client.ObjectKeyFromObject(d), d)).To(Succeed())
		all = append(all, d.Spec.Template.Annotations[rollout.AnnotationContentHash])
	}
	return all
}

// rolled counts the workloads that were rolled.
func (t *restartTenant) rolled(ctx context.Context) int {
	n := 0
	for _, hash := range t.hashes(ctx) {
		if hash != "" {
			n++
		}
	}
	return n
}

// finish says of all workloads that their rollouts succeeded.
func (t *restartTenant) finish(ctx context.Context) {
	GinkgoHelper()
	for _, d := range t.workloads {
		Expect(api.Get(ctx, client.ObjectKeyFromObject(d), d)).To(Succeed())
		d.Status = appsv1.DeploymentStatus{ObservedGeneration: d.Generation, Replicas: 1, UpdatedReplicas: 1, ReadyReplicas: 1, AvailableReplicas: 1}
		Expect(api.Status().Update(ctx, d)).To(Succeed())
	}
}
