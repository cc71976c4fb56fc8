// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/endpoints/request"
)

func accessOf(cluster authorizer.AuthorizerFunc) *Access {
	return &Access{cluster: cluster, turns: newReviews()}
}

func TestAccessAsksForTheCaller(t *testing.T) {
	caller := &user.DefaultInfo{
		Name: "ada", UID: "7", Groups: []string{"system:authenticated", "team"}, Extra: map[string][]string{"scopes": {"a", "b"}},
	}
	ctx := request.WithUser(t.Context(), caller)
	for name, tc := range map[string]struct {
		ask  func(*Access) (bool, error)
		want authorizer.AttributesRecord
	}{
		"for user secrets, in the namespace": {
			func(a *Access) (bool, error) { return a.UserSecrets(ctx, "patch", "ns") },
			authorizer.AttributesRecord{Verb: "patch", APIGroup: "latchkey.dev", APIVersion: "v1alpha1", Resource: "usersecrets", Namespace: "ns"},
		},
		"for an agent secret, by name": {
			func(a *Access) (bool, error) { return a.AgentSecrets(ctx, "get", "ns", "x") },
			authorizer.AttributesRecord{Verb: "get", APIGroup: "latchkey.dev", APIVersion: "v1alpha1", Resource: "agentsecrets", Namespace: "ns", Name: "x"},
		},
		"for the value of an agent secret, which is a right of its own": {
			func(a *Access) (bool, error) { return a.RevealAgentSecret(ctx, "ns", "x") },
			authorizer.AttributesRecord{Verb: "get", APIGroup: "latchkey.dev", APIVersion: "v1alpha1", Resource: "agentsecrets", Subresource: "value", Namespace: "ns", Name: "x"},
		},
		"for a namespace, in itself": {
			func(a *Access) (bool, error) { return a.GetNamespace(ctx, "ns") },
			authorizer.AttributesRecord{Verb: "get", APIVersion: "v1", Resource: "namespaces", Namespace: "ns", Name: "ns"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			tc.want.User, tc.want.ResourceRequest = caller, true
			for _, decision := range []authorizer.Decision{authorizer.DecisionAllow, authorizer.DecisionDeny, authorizer.DecisionNoOpinion} {
				access := accessOf(func(_ context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
					if diff := cmp.Diff(authorizer.Attributes(tc.want), a); diff != "" {
						t.Errorf("asked (-want +got):\n%s", diff)
					}
					return decision, "", nil
				})
				got, err := tc.ask(access)
				if want := decision == authorizer.DecisionAllow; err != nil || got != want {
					t.Errorf("for decision %v: %v, %v, want %v", decision, got, err, want)
				}
			}
		})
	}
}

func TestAccessThatCannotBeDecided(t *testing.T) {
	failure := errors.New("no route to the cluster")
	access := accessOf(func(context.Context, authorizer.Attributes) (authorizer.Decision, string, error) {
		return authorizer.DecisionNoOpinion, "", failure
	})
	ctx := request.WithUser(t.Context(), &user.DefaultInfo{Name: "ada"})
	if allowed, err := access.UserSecrets(ctx, "get", "ns"); allowed || !errors.Is(err, failure) {
		t.Errorf("got %v, %v, want an error", allowed, err)
	}
	if allowed, err := access.UserSecrets(t.Context(), "get", "ns"); allowed || !errors.Is(err, errNobody) {
		t.Errorf("without a caller: %v, %v, want an error", allowed, err)
	}
}

func TestAccess_OneCallerAsksMuch_AndAnotherIsNotBehindThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		open := map[string]int{}
		var mu sync.Mutex
		answer := make(chan struct{})
		access := accessOf(func(_ context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
			mu.Lock()
			open[a.GetUser().GetName()]++
			mu.Unlock()
			<-answer
			return authorizer.DecisionDeny, "", nil
		})
		ask := func(name string) {
			ctx := request.WithUser(t.Context(), &user.DefaultInfo{Name: name})
			if allowed, err := access.UserSecrets(ctx, "create", "ns"); allowed || err != nil {
				t.Errorf("%s: %v, %v, want a refusal", name, allowed, err)
			}
		}
		for range 100 {
			go ask("mallory")
		}
		synctest.Wait()
		go ask("ada")
		synctest.Wait()
		if diff := cmp.Diff(map[string]int{"mallory": reviewsOfCaller, "ada": 1}, open); diff != "" {
			t.Errorf("open questions (-want +got):\n%s", diff)
		}
		close(answer)
		synctest.Wait()
		if open["mallory"] != 100 {
			t.Errorf("the cluster was asked %d times about mallory, want 100", open["mallory"])
		}
	})
}
