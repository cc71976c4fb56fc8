// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package caches

import (
	"context"
	"errors"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
)

// reader counts what it is asked for.
type reader struct{ asked int }

func (r *reader) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	r.asked++
	return nil
}

func (r *reader) List(context.Context, client.ObjectList, ...client.ListOption) error {
	r.asked++
	return nil
}

func TestServed(t *testing.T) {
	for name, tt := range map[string]struct {
		tenants   []string
		namespace string
		want      error
	}{
		"every namespace where none is named":   {nil, "bob", nil},
		"a tenant":                              {[]string{"alice", "shop"}, "shop", nil},
		"another namespace":                     {[]string{"alice", "shop"}, "bob", ErrNotServed},
		"what has no namespace, or all of them": {[]string{"alice"}, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			below := &reader{}
			r := Served(below, tt.tenants)
			get := r.Get(t.Context(), client.ObjectKey{Namespace: tt.namespace, Name: "a"}, &metav1.PartialObjectMetadata{})
			list := r.List(t.Context(), &v1alpha1.UserSecretList{}, client.InNamespace(tt.namespace))
			if !errors.Is(get, tt.want) || !errors.Is(list, tt.want) {
				t.Errorf("Get = %v, List = %v, want %v", get, list, tt.want)
			}
			if want := map[bool]int{true: 2, false: 0}[tt.want == nil]; below.asked != want {
				t.Errorf("the cache was asked %d times, want %d", below.asked, want)
			}
		})
	}
}
