// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package caches

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// ErrNotServed is the error for a namespace that is not a tenant.
var ErrNotServed = errors.New("not served by Latchkey: it is none of --tenant-namespaces, or Latchkey has no rights there")

// Served returns a reader of a cache that has only the tenants. For objects of other
// namespaces, it returns ErrNotServed. If tenants is empty, all namespaces are tenants.
func Served(r client.Reader, tenants []string) client.Reader {
	if len(tenants) == 0 {
		return r
	}
	return served{r, tenants}
}

type served struct {
	client.Reader
	tenants []string
}

// Get implements client.Reader.
func (s served) Get(ctx context.Context, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
	if err := s.check(key.Namespace); err != nil {
		return err
	}
	return s.Reader.Get(ctx, key, obj, opts...)
}

// List implements client.Reader.
func (s served) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	if err := s.check((&client.ListOptions{}).ApplyOptions(opts).Namespace); err != nil {
		return err
	}
	return s.Reader.List(ctx, list, opts...)
}

// check refuses a namespace that is not a tenant.
func (s served) check(namespace string) error {
	if namespace == "" || slices.Contains(s.tenants, namespace) {
		return nil
	}
	return fmt.Errorf("namespace %s is %w", namespace, ErrNotServed)
}
