// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package framework

import (
	"context"
	"fmt"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/certs"
)

// LabelUnselected on a namespace makes the API server not ask admission about its secrets,
// as for a namespace that is not, or not yet, among the named tenants.
const LabelUnselected = "test.latchkey.dev/unselected"

// Unselect makes the API server not ask admission about the secrets of a namespace. It
// returns once that works.
func (c *Cluster) Unselect(ctx context.Context, namespace string) error {
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{}
	if err := c.Client.Get(ctx, client.ObjectKey{Name: certs.WebhookConfiguration}, configuration); err != nil {
		return err
	}
	before := configuration.DeepCopy()
	for i := range configuration.Webhooks {
		if w := &configuration.Webhooks[i]; w.Name == "usersecrets.latchkey.dev" || w.Name == "agentsecrets.latchkey.dev" {
			w.NamespaceSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
				{Key: LabelUnselected, Operator: metav1.LabelSelectorOpDoesNotExist},
			}}
		}
	}
	// As the one who applied it, or the controller would undo it.
	if err := c.Client.Patch(ctx, configuration, client.MergeFrom(before), client.FieldOwner(administrator)); err != nil {
		return err
	}
	return c.selection(ctx, namespace, "true", func(err error) bool {
		return err != nil && strings.Contains(err.Error(), "must be sealed before it is stored")
	})
}

// Select ends Unselect.
func (c *Cluster) Select(ctx context.Context, namespace string) error {
	return c.selection(ctx, namespace, "", func(err error) bool { return err == nil })
}

func (c *Cluster) selection(ctx context.Context, namespace, label string, wanted func(error) bool) error {
	ns := &corev1.Namespace{}
	if err := c.Client.Get(ctx, client.ObjectKey{Name: namespace}, ns); err != nil {
		return err
	}
	before := ns.DeepCopy()
	delete(ns.Labels, LabelUnselected)
	if label != "" {
		metav1.SetMetaDataLabel(&ns.ObjectMeta, LabelUnselected, label)
	}
	if err := c.Client.Patch(ctx, ns, client.MergeFrom(before)); err != nil {
		return err
	}
	var last error
	err := wait.PollUntilContextTimeout(ctx, pollEvery, settleTimeout, true, func(ctx context.Context) (bool, error) {
		last = c.Client.Create(ctx, UserSecret(namespace, "probe", v1alpha1.UserSecretSpec{Value: v1alpha1.WriteOnlyString("probe")}), client.DryRunAll)
		return wanted(last), nil
	})
	if err != nil {
		return fmt.Errorf("wait for the selection of %s: %w: %w", namespace, err, last)
	}
	return nil
}
