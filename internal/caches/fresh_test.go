// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package caches

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// source counts what it is asked, and knows one object or none.
type source struct {
	client.Reader
	has, away   bool
	gets, lists int
}

func (s *source) Get(_ context.Context, key client.ObjectKey, _ client.Object, _ ...client.GetOption) error {
	s.gets++
	if !s.has {
		return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
	}
	return nil
}

func (s *source) List(context.Context, client.ObjectList, ...client.ListOption) error {
	s.lists++
	if s.away {
		return apierrors.NewTimeoutError("away", 1)
	}
	return nil
}

func TestFresh_AfterAWrite_ListsAtTheSourceForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cached, live, writes := &source{}, &source{}, &Writes{}
		r := Fresh(cached, live, writes, func() bool { return true })
		list := func(namespace string) {
			if err := r.List(t.Context(), &corev1.SecretList{}, client.InNamespace(namespace)); err != nil {
				t.Fatal(err)
			}
		}
		list("alice")
		if live.lists != 0 {
			t.Error("without a write, the API server is asked")
		}
		writes.Note("alice")
		list("bob")
		if live.lists != 0 {
			t.Error("another namespace's lists are asked of the API server")
		}
		list("alice")
		if live.lists != 1 {
			t.Error("after a write, the cache is asked")
		}
		<-time.After(behind + time.Millisecond)
		list("alice")
		if live.lists != 1 || cached.lists != 3 {
			t.Errorf("long after a write, %d lists of the API server and %d of the cache, want 1 and 3", live.lists, cached.lists)
		}
		writes.Note("bob")
		if len(writes.at) != 1 {
			t.Errorf("%d namespaces are remembered, want the last", len(writes.at))
		}
	})
}

func TestFresh_MissingInTheCache_IsLookedUp(t *testing.T) {
	for name, tc := range map[string]struct {
		cached, live bool
		wantGets     int
		wantErr      bool
	}{
		"what the cache has":         {cached: true, wantGets: 0},
		"what the cache has not yet": {live: true, wantGets: 1},
		"what nobody has":            {wantGets: 1, wantErr: true},
	} {
		live := &source{has: tc.live}
		err := Fresh(&source{has: tc.cached}, live, &Writes{}, func() bool { return true }).Get(t.Context(), client.ObjectKey{Name: "a"}, &corev1.Namespace{})
		if live.gets != tc.wantGets || apierrors.IsNotFound(err) != tc.wantErr {
			t.Errorf("%s: %v after %d lookups, want %d", name, err, live.gets, tc.wantGets)
		}
	}
}

func TestFresh_CacheDoesNotFollow_ListsAtTheSourceIfItAnswers(t *testing.T) {
	for name, tc := range map[string]struct {
		follows, away        bool
		wantLive, wantCached int
	}{
		"it follows": {follows: true, wantCached: 1},
		"it does not, and the API server answers":      {wantLive: 1},
		"it does not, and the API server is away, too": {away: true, wantLive: 1, wantCached: 1},
	} {
		cached, live := &source{}, &source{away: tc.away}
		err := Fresh(cached, live, &Writes{}, func() bool { return tc.follows }).List(t.Context(), &corev1.SecretList{}, client.InNamespace("alice"))
		if err != nil || live.lists != tc.wantLive || cached.lists != tc.wantCached {
			t.Errorf("%s: %v, %d lists of the API server and %d of the cache, want %d and %d", name, err, live.lists, cached.lists, tc.wantLive, tc.wantCached)
		}
	}
}
