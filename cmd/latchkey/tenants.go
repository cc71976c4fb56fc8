// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	authorizationv1 "k8s.io/api/authorization/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
)

var tenantsLeftOut = prometheus.NewGauge(prometheus.GaugeOpts{
	Name: "latchkey_tenants_left_out",
	Help: "Namespaces of --tenant-namespaces that this process has not served since its start, because it has no rights in them.",
})

func init() { metrics.Registry.MustRegister(tenantsLeftOut) }

// filterTenants removes from --tenant-namespaces those in which this process has no
// rights, because the namespace was deleted, or created again without the Roles. The
// cache of such a namespace never fills, and a user who deletes a namespace must not
// prevent Latchkey from starting for all others.
func (o *commonOptions) filterTenants(ctx context.Context, c client.Writer) error {
	var granted, refused []string
	for _, tenant := range o.tenants {
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Namespace: tenant, Verb: "watch", Group: v1alpha1.GroupVersion.Group, Resource: "usersecrets",
			},
		}}
		if err := c.Create(ctx, review); err != nil {
			return fmt.Errorf("ask what is allowed in namespace %s: %w", tenant, err)
		}
		if review.Status.Allowed {
			granted = append(granted, tenant)
		} else {
			refused = append(refused, tenant)
		}
	}
	if len(refused) == 0 {
		return nil
	}
	if len(granted) == 0 { // an empty list would stand for all
		return fmt.Errorf("no right to UserSecrets in any of --tenant-namespaces (%s): create the namespaces, and install the chart again for the Roles in them", strings.Join(refused, ", "))
	}
	ctrl.LoggerFrom(ctx).Error(nil, "Tenants are left out until the next start, because there are no rights in their namespaces: create these, install the chart again for the Roles in them, then restart Latchkey", "namespaces", refused)
	tenantsLeftOut.Set(float64(len(refused)))
	o.tenants = granted
	return nil
}
