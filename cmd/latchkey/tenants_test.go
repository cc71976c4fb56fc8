// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	authorizationv1 "k8s.io/api/authorization/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// allowing answers what is allowed where.
type allowing struct {
	client.Writer
	namespaces []string
	err        error
}

func (a allowing) Create(_ context.Context, obj client.Object, _ ...client.CreateOption) error {
	review := obj.(*authorizationv1.SelfSubjectAccessReview)
	review.Status.Allowed = slices.Contains(a.namespaces, review.Spec.ResourceAttributes.Namespace)
	return a.err
}

func TestSettleTenants(t *testing.T) {
	for name, tt := range map[string]struct {
		tenants       []string
		cluster       allowing
		want          []string
		wantLog, fail string
	}{
		"all namespaces":                     {},
		"tenants with rights":                {tenants: []string{"alice", "shop"}, cluster: allowing{namespaces: []string{"alice", "shop"}}, want: []string{"alice", "shop"}},
		"one without rights":                 {tenants: []string{"alice", "shop"}, cluster: allowing{namespaces: []string{"shop"}}, want: []string{"shop"}, wantLog: `"namespaces"=["alice"]`},
		"none left is not all":               {tenants: []string{"alice", "shop"}, want: []string{"alice", "shop"}, fail: "in any of --tenant-namespaces (alice, shop): create the namespaces"},
		"an API server that does not answer": {tenants: []string{"alice"}, cluster: allowing{err: errors.New("no route")}, want: []string{"alice"}, fail: "in namespace alice: no route"},
	} {
		t.Run(name, func(t *testing.T) {
			var log strings.Builder
			ctx := ctrl.LoggerInto(t.Context(), funcr.New(func(_, args string) { log.WriteString(args) }, funcr.Options{}))
			o := &commonOptions{tenants: tt.tenants}
			tenantsLeftOut.Set(0)
			err := o.filterTenants(ctx, tt.cluster)
			if (err != nil) != (tt.fail != "") || err != nil && !strings.Contains(err.Error(), tt.fail) {
				t.Errorf("filterTenants = %v, want %q", err, tt.fail)
			}
			if diff := cmp.Diff(tt.want, o.tenants); diff != "" {
				t.Errorf("tenants (-want +got):\n%s", diff)
			}
			if out := testutil.ToFloat64(tenantsLeftOut); err == nil && out != float64(len(tt.tenants)-len(o.tenants)) {
				t.Errorf("%v are said to be left out of %v, and %v are served", out, tt.tenants, o.tenants)
			}
			if (log.Len() > 0) != (tt.wantLog != "") || !strings.Contains(log.String(), tt.wantLog) {
				t.Errorf("log %q, want %q", log.String(), tt.wantLog)
			}
		})
	}
}
