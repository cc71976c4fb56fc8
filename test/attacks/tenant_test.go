// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package attacks

import (
	"context"
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/test/conformance"
	"github.com/latchkey-dev/latchkey/test/framework"
)

// estate is a user's namespace, with people of different rights.
type estate struct {
	conformance.Account // the user, who has no RBAC at all
	// editor may edit secret objects and get no native Secret; owner may do both.
	editor, owner client.Client
}

// newEstate makes a user of a name, whose secrets are deleted at the end.
func newEstate(ctx context.Context, name string) *estate {
	GinkgoHelper()
	tenants := conformance.Tenants{Admin: api}
	account, err := tenants.NewUser(ctx, name)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func(ctx SpecContext) { Expect(tenants.Empty(ctx, account)).To(Succeed()) })
	e := &estate{Account: account}
	everything := rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get"}}
	create(ctx, &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: "reader"}, Rules: []rbacv1.PolicyRule{everything}},
		roleBinding(name, "editor", "ClusterRole", "latchkey-edit", "editor-of-"+name, "owner-of-"+name),
		roleBinding(name, "viewer", "ClusterRole", "latchkey-view", "editor-of-"+name, "owner-of-"+name),
		roleBinding(name, "reader", "Role", "reader", "owner-of-"+name))
	for user, to := range map[string]*client.Client{"editor": &e.editor, "owner": &e.owner} {
		*to, err = stack.AsUser(user + "-of-" + name)
		Expect(err).NotTo(HaveOccurred())
		probe := framework.UserSecret(name, "probe", v1alpha1.UserSecretSpec{Value: v1alpha1.WriteOnlyString("probe")})
		Eventually(ctx, func() error { return (*to).Create(ctx, probe.DeepCopy(), client.DryRunAll) }).Should(Succeed(), "the roles are in effect")
	}
	return e
}

// mayGetSecrets lets the user get the native Secrets of their namespace.
func (e *estate) mayGetSecrets(ctx context.Context) {
	GinkgoHelper()
	b := roleBinding(e.Namespace, "caller", "Role", "reader")
	b.Subjects = []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: e.Namespace, Name: "caller"}}
	create(ctx, b)
}

// patch sends a PATCH of the user's own secret through a face.
func (e *estate) patch(ctx context.Context, face conformance.Face, name, body string) conformance.Answer {
	GinkgoHelper()
	header := http.Header{"Authorization": {"Bearer " + e.Token}, "Content-Type": {"application/json"}}
	got, err := face.Do(ctx, http.MethodPatch, face.Coder+"/users/me/secrets/"+name, header, body)
	Expect(err).NotTo(HaveOccurred())
	return got
}

func roleBinding(namespace, name, kind, role string, users ...string) *rbacv1.RoleBinding {
	b := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: kind, Name: role},
	}
	for _, user := range users {
		b.Subjects = append(b.Subjects, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: "User", Name: user})
	}
	return b
}

// create creates objects as the administrator.
func create(ctx context.Context, objects ...client.Object) {
	GinkgoHelper()
	for _, o := range objects {
		Expect(api.Create(ctx, o)).To(Succeed(), o.GetName())
	}
}

// reason reads the reason of Ready, once the status speaks of the object as it is.
func reason(obj *v1alpha1.UserSecret) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		if err := api.Get(ctx, client.ObjectKeyFromObject(obj), obj); err != nil {
			return "", err
		}
		ready := apimeta.FindStatusCondition(obj.Status.Conditions, v1alpha1.ConditionReady)
		if ready == nil || obj.Status.ObservedGeneration != obj.Generation {
			return "", nil
		}
		return ready.Reason, nil
	}
}

// contents reads what a native Secret holds; nil where there is none.
func contents(namespace, name string) func(context.Context) (map[string]string, error) {
	return func(ctx context.Context) (map[string]string, error) {
		secret := &corev1.Secret{}
		err := api.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, secret)
		if apierrors.IsNotFound(err) {
			return nil, nil
		}
		found := map[string]string{}
		for k, v := range secret.Data {
			found[k] = string(v)
		}
		return found, err
	}
}
