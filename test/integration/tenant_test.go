// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"errors"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/test/framework"
)

// values are the data of a native Secret.
type values = map[string]string

// newTenant makes a namespace for one spec and empties it afterwards.
func newTenant(ctx context.Context) string {
	GinkgoHelper()
	return newTenants(ctx, 1)[0]
}

// newTenants makes several.
func newTenants(ctx context.Context, n int) []string {
	GinkgoHelper()
	var names []string
	for range n {
		namespace := framework.Namespace("")
		Expect(api.Create(ctx, namespace)).To(Succeed())
		names = append(names, namespace.Name)
	}
	DeferCleanup(emptyTenants, names)
	return names
}

// emptyTenants deletes what a spec made, so that later specs have less to look at.
func emptyTenants(ctx SpecContext, namespaces []string) {
	foreign := client.MatchingLabelsSelector{Selector: withoutLabel(v1alpha1.LabelBundle)}
	var group errgroup.Group
	for _, namespace := range namespaces {
		group.Go(func() error {
			return errors.Join(
				api.DeleteAllOf(ctx, &v1alpha1.UserSecret{}, client.InNamespace(namespace)),
				api.DeleteAllOf(ctx, &v1alpha1.AgentSecret{}, client.InNamespace(namespace)),
				api.DeleteAllOf(ctx, &corev1.Secret{}, client.InNamespace(namespace), foreign),
			)
		})
	}
	Expect(group.Wait()).To(Succeed())
	// No controller of the cluster deletes what is in a namespace; Latchkey's does so
	// with the bundles.
	for _, namespace := range namespaces {
		Eventually(ctx, func(g Gomega) {
			bundles := &corev1.SecretList{}
			g.Expect(api.List(ctx, bundles, client.InNamespace(namespace))).To(Succeed())
			g.Expect(bundles.Items).To(BeEmpty())
		}).Should(Succeed())
	}
}

func userSecret(namespace, name string) *v1alpha1.UserSecret {
	return framework.UserSecret(namespace, name, v1alpha1.UserSecretSpec{})
}

func agentSecret(namespace, name string) *v1alpha1.AgentSecret {
	return framework.AgentSecret(namespace, name, "", "")
}

func key(obj client.Object) client.ObjectKey { return client.ObjectKeyFromObject(obj) }

// create creates objects that must be admitted.
func create(ctx context.Context, objects ...client.Object) {
	GinkgoHelper()
	for _, o := range objects {
		Expect(api.Create(ctx, o)).To(Succeed(), o.GetName())
	}
}

// modify changes the present state of an object.
func modify[T client.Object](ctx context.Context, obj T, change func(T)) {
	GinkgoHelper()
	Expect(api.Get(ctx, key(obj), obj)).To(Succeed())
	before, ok := obj.DeepCopyObject().(client.Object)
	Expect(ok).To(BeTrue())
	change(obj)
	Expect(api.Patch(ctx, obj, client.MergeFrom(before))).To(Succeed())
}

// condition reads the status and reason of Ready, such as "True Projected", once the
// status speaks of the object as it is.
func condition(obj client.Object) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		ready, err := readiness(ctx, obj)
		if err != nil || ready == nil {
			return "not looked at yet", err
		}
		return string(ready.Status) + " " + ready.Reason, nil
	}
}

// readiness reads the condition Ready; nil while the status is behind.
func readiness(ctx context.Context, obj client.Object) (*metav1.Condition, error) {
	if err := api.Get(ctx, key(obj), obj); err != nil {
		return nil, err
	}
	var status v1alpha1.SecretStatus
	switch o := obj.(type) {
	case *v1alpha1.UserSecret:
		status = o.Status
	case *v1alpha1.AgentSecret:
		status = o.Status
	default:
		return nil, fmt.Errorf("%T has no such status", obj)
	}
	if status.ObservedGeneration != obj.GetGeneration() {
		return nil, nil
	}
	return apimeta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady), nil
}

// message reads the message of Ready.
func message(ctx context.Context, obj client.Object) string {
	GinkgoHelper()
	ready, err := readiness(ctx, obj)
	Expect(err).NotTo(HaveOccurred())
	Expect(ready).NotTo(BeNil())
	return ready.Message
}

// data reads what a native Secret holds; nil where there is none.
func data(namespace, name string) func(context.Context) (values, error) {
	return func(ctx context.Context) (values, error) {
		secret := &corev1.Secret{}
		err := api.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, secret)
		if apierrors.IsNotFound(err) {
			return nil, nil
		}
		found := values{}
		for k, v := range secret.Data {
			found[k] = string(v)
		}
		return found, err
	}
}

// native returns a native Secret that must be there.
func native(ctx context.Context, namespace, name string) *corev1.Secret {
	GinkgoHelper()
	secret := &corev1.Secret{}
	Expect(api.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, secret)).To(Succeed())
	return secret
}

// objectsOf returns all secret objects and native Secrets of a namespace.
func objectsOf(ctx context.Context, namespace string) []client.Object {
	GinkgoHelper()
	users, agents, secrets := &v1alpha1.UserSecretList{}, &v1alpha1.AgentSecretList{}, &corev1.SecretList{}
	var all []client.Object
	for _, list := range []client.ObjectList{users, agents, secrets} {
		Expect(api.List(ctx, list, client.InNamespace(namespace))).To(Succeed())
	}
	for i := range users.Items {
		all = append(all, &users.Items[i])
	}
	for i := range agents.Items {
		all = append(all, &agents.Items[i])
	}
	for i := range secrets.Items {
		all = append(all, &secrets.Items[i])
	}
	return all
}

func withoutLabel(name string) labels.Selector {
	selector, err := labels.Parse("!" + name)
	Expect(err).NotTo(HaveOccurred())
	return selector
}
