// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
)

// TestPersistent writes through an API server that answers with errors at first.
func TestPersistent(t *testing.T) {
	unreachable := apierrors.NewInternalError(errors.New(`failed calling webhook "usersecrets.latchkey.dev": failed to call webhook: EOF`))
	for name, tt := range map[string]struct {
		err       error
		failures  int
		cancelled bool
		wantTries int
		wantErr   bool
	}{
		"a write that is admitted":                     {nil, 0, false, 1, false},
		"a replica that died is asked, then another":   {unreachable, 3, false, 4, false},
		"no replica is left":                           {unreachable, 100, false, 9, true},
		"the caller has gone":                          {unreachable, 100, true, 1, true},
		"another fault of the API server may be done":  {apierrors.NewInternalError(errors.New("etcd")), 1, false, 1, true},
		"who is refused is refused":                    {apierrors.NewForbidden(schema.GroupResource{}, "a", errors.New("failed calling webhook")), 1, false, 1, true},
		"an error that is not the API server's answer": {errors.New("failed calling webhook"), 1, false, 1, true},
	} {
		for verb, write := range map[string]func(context.Context, client.Client, client.Object) error{
			"create": func(ctx context.Context, c client.Client, o client.Object) error { return c.Create(ctx, o) },
			"update": func(ctx context.Context, c client.Client, o client.Object) error { return c.Update(ctx, o) },
			"patch": func(ctx context.Context, c client.Client, o client.Object) error {
				return c.Patch(ctx, o, client.Merge)
			},
		} {
			t.Run(verb+": "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					tries := 0
					try := func() error {
						if tries++; tries <= tt.failures {
							return tt.err
						}
						return nil
					}
					c := persistent{fake.NewClientBuilder().WithInterceptorFuncs(interceptor.Funcs{
						Create: func(context.Context, client.WithWatch, client.Object, ...client.CreateOption) error { return try() },
						Update: func(context.Context, client.WithWatch, client.Object, ...client.UpdateOption) error { return try() },
						Patch: func(context.Context, client.WithWatch, client.Object, client.Patch, ...client.PatchOption) error {
							return try()
						},
					}).Build()}
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					if tt.cancelled {
						cancel()
					}
					err := write(ctx, c, &v1alpha1.UserSecret{})
					if tries != tt.wantTries {
						t.Errorf("%d tries, want %d", tries, tt.wantTries)
					}
					if (err != nil) != tt.wantErr {
						t.Errorf("it ends with %v, want an error: %t", err, tt.wantErr)
					}
				})
			})
		}
	}
}

func TestSetMember(t *testing.T) {
	for name, tt := range map[string]struct {
		present bool
		value   any
		want    []map[string]any
	}{
		"a value that was there comes back":       {true, "x", []map[string]any{{"op": "add", "path": "/spec/a", "value": "x"}}},
		"a value that was there comes back to it": {false, "x", []map[string]any{{"op": "add", "path": "/spec/a", "value": "x"}}},
		"false is a value":                        {true, false, []map[string]any{{"op": "add", "path": "/spec/a", "value": false}}},
		"a member that was not there goes":        {true, nil, []map[string]any{{"op": "remove", "path": "/spec/a"}}},
		"nothing is done to nothing":              {false, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, setMember("/spec/a", tt.present, tt.value)); diff != "" {
				t.Errorf("setMember (-want +got):\n%s", diff)
			}
		})
	}
}
