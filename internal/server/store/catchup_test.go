// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/policy/limits"
)

// listPage lists the metadata of user secrets page by page, as an API server does.
func (s *apiServer) listPage(list *metav1.PartialObjectMetadataList, o *client.ListOptions) {
	var all []metav1.PartialObjectMetadata
	for _, obj := range s.objects {
		if u, ok := obj.(*v1alpha1.UserSecret); ok && u.Namespace == o.Namespace {
			all = append(all, metav1.PartialObjectMetadata{ObjectMeta: u.ObjectMeta})
		}
	}
	slices.SortFunc(all, func(a, b metav1.PartialObjectMetadata) int {
		return cmp.Compare(parseVersion(a.ResourceVersion), parseVersion(b.ResourceVersion))
	})
	from, _ := strconv.Atoi(o.Continue)
	to := min(from+int(o.Limit), len(all))
	if list.Items = all[from:to]; to < len(all) {
		list.Continue = strconv.Itoa(to)
	}
	list.ResourceVersion = fmt.Sprint(len(s.log))
}

// What the cache lacks may be on any page of the list, and what it has too much is on none.
func TestCatchUp_WaitsForAllThatWasThere(t *testing.T) {
	for name, write := range map[string]func(*apiServer, *v1alpha1.UserSecret) error{
		"an object that the cache lacks": func(s *apiServer, _ *v1alpha1.UserSecret) error {
			another := imported("alice", "another", "", "")
			return s.Create(t.Context(), &another)
		},
		"a change of the first": func(s *apiServer, first *v1alpha1.UserSecret) error { return s.Update(t.Context(), first) },
		"a deletion":            func(s *apiServer, first *v1alpha1.UserSecret) error { return s.Delete(t.Context(), first) },
	} {
		t.Run(name, func(t *testing.T) {
			server, users := startUsers(t, limits.DefaultUser(), "alice")
			var first *v1alpha1.UserSecret
			for i := range 2*pageSize + 1 {
				u := imported("alice", fmt.Sprint("secret-", i), "", "")
				if err := server.Create(t.Context(), &u); err != nil {
					t.Fatal(err)
				}
				if first == nil {
					first = &u
				}
			}
			if err := users.CatchUp(t.Context()); err != nil {
				t.Fatal(err)
			}
			server.mu.Lock()
			server.stopped = true
			server.mu.Unlock()
			if err := write(server, first); err != nil {
				t.Fatal(err)
			}
			soon, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if err := users.CatchUp(soon); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("with a cache that is behind: %v, want it to wait", err)
			}
			server.mu.Lock()
			server.stopped = false
			server.written.Broadcast()
			server.mu.Unlock()
			if err := users.CatchUp(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}
