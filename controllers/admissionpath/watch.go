// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package admissionpath

import (
	"context"
	"fmt"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/latchkey-dev/latchkey/internal/admissionport"
	"github.com/latchkey-dev/latchkey/internal/caches"
	"github.com/latchkey-dev/latchkey/internal/certs"
)

// SetupWithManager starts the controller with mgr, on the leader.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	// All changes lead to the same request.
	one := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request {
		return []reconcile.Request{{}}
	})
	build := builder.ControllerManagedBy(mgr).Named("admissionpath").WithOptions(controller.Options{MaxConcurrentReconciles: 1})
	for _, watched := range []struct {
		object          client.Object
		namespace, name string
	}{
		// The configuration was applied, replaced or restored.
		{&admissionregistrationv1.MutatingWebhookConfiguration{}, "", certs.WebhookConfiguration},
		// The path was deleted.
		{&corev1.Secret{}, r.Namespace, admissionport.SecretName},
		// The certificate was renewed.
		{&corev1.Secret{}, r.Namespace, certs.SecretName},
	} {
		c, err := caches.Named(mgr.GetConfig(), mgr.GetScheme(), watched.object, watched.namespace, watched.name, nil)
		if err != nil {
			return fmt.Errorf("set up the cache of %s: %w", watched.name, err)
		}
		if err := mgr.Add(c); err != nil {
			return err
		}
		build = build.WatchesRawSource(source.Kind(c, watched.object, one))
	}
	return build.Complete(r)
}
