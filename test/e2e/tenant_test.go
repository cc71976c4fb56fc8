// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"maps"
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/test/conformance"
)

// labelRun marks the namespaces of a run.
const labelRun = "latchkey.dev/e2e-run"

// labels are what a spec asks of its namespace.
type labels = map[string]string

var injected = labels{v1alpha1.LabelInjection: "enabled"}

// newNamespace makes a namespace with an account in it, and waits until pods can be
// created there.
func newNamespace(ctx context.Context, purpose string, more ...labels) conformance.Account {
	GinkgoHelper()
	return newAccount(ctx, tenantName(purpose), more...)
}

// tenantName returns the name of a namespace of this run.
func tenantName(purpose string) string { return "e2e-" + runID + "-" + purpose }

// newUser makes a namespace that is a user, whose pods Latchkey projects into. The
// account in it is that user.
func newUser(ctx context.Context, purpose string, more ...labels) conformance.Account {
	GinkgoHelper()
	name := tenantName(purpose)
	user := newAccount(ctx, name, append(more, injected, labels{v1alpha1.LabelUser: name})...)
	for _, f := range []conformance.Face{direct, aggregated} {
		// Every replica learns of a new user through a watch of its own.
		Eventually(ctx, func(ctx context.Context) (int, error) {
			answer, err := tryAsk(ctx, f, user, http.MethodGet, mySecrets(f, ""), "")
			return answer.Status, err
		}).Should(Equal(http.StatusOK))
	}
	return user
}

func newAccount(ctx context.Context, name string, more ...labels) conformance.Account {
	GinkgoHelper()
	all := labels{}
	for _, m := range more {
		maps.Copy(all, m)
	}
	account, err := conformance.Tenants{Admin: api, Labels: labels{labelRun: runID}}.New(ctx, name, all, map[string]string{
		v1alpha1.AnnotationSubjects: fmt.Sprintf("system:serviceaccount:%s:caller", name),
	})
	Expect(err).NotTo(HaveOccurred())
	Eventually(ctx, func(ctx context.Context) error {
		return api.Get(ctx, client.ObjectKey{Namespace: name, Name: "default"}, &corev1.ServiceAccount{})
	}).Should(Succeed())
	return account
}

// deleteTenants deletes the namespaces of this run. Nobody waits for it.
func deleteTenants(ctx SpecContext) {
	list := &corev1.NamespaceList{}
	Expect(api.List(ctx, list, client.MatchingLabels{labelRun: runID})).To(Succeed())
	for i := range list.Items {
		Expect(client.IgnoreNotFound(api.Delete(ctx, &list.Items[i]))).To(Succeed())
	}
}

// create creates objects.
func create(ctx context.Context, objects ...client.Object) {
	GinkgoHelper()
	for _, o := range objects {
		Expect(api.Create(ctx, o)).To(Succeed())
	}
}

// userSecret creates a UserSecret and waits until its value is in the bundle.
func userSecret(ctx context.Context, namespace, name string, spec v1alpha1.UserSecretSpec) {
	GinkgoHelper()
	create(ctx, &v1alpha1.UserSecret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: spec})
	awaitReady(ctx, &v1alpha1.UserSecret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}})
}

// awaitReady waits until an object says that it is ready, as it is now.
func awaitReady(ctx context.Context, o client.Object) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		g.Expect(api.Get(ctx, client.ObjectKeyFromObject(o), o)).To(Succeed())
		var conditions []metav1.Condition
		switch o := o.(type) {
		case *v1alpha1.UserSecret:
			conditions = o.Status.Conditions
		case *v1alpha1.AgentSecret:
			conditions = o.Status.Conditions
		}
		ready := apimeta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
		g.Expect(ready).NotTo(BeNil())
		g.Expect(ready.ObservedGeneration).To(Equal(o.GetGeneration()))
		g.Expect(ready.Status).To(Equal(metav1.ConditionTrue), ready.Reason)
	}).Should(Succeed())
}

// value is a value to be sealed. It holds the canary that is looked for in logs.
func value(text string) *v1alpha1.WriteOnly { return v1alpha1.WriteOnlyString(canary + text) }

// setValue gives a UserSecret another value.
func setValue(ctx context.Context, namespace, name, text string) {
	GinkgoHelper()
	o := &v1alpha1.UserSecret{}
	Expect(api.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, o)).To(Succeed())
	before := o.DeepCopy()
	o.Spec.Value = value(text)
	Expect(api.Patch(ctx, o, client.MergeFrom(before))).To(Succeed())
}
