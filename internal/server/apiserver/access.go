// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	"k8s.io/apiserver/pkg/endpoints/request"
	authorizationclient "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"k8s.io/client-go/rest"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/server/requests"
	"github.com/latchkey-dev/latchkey/internal/server/store"
)

// How long the cluster's answers are cached. A right that was revoked works for that
// long. A refusal is not cached: a new right works at once, and the work for a refusal
// does not reveal what was refused before.
const (
	allowTTL = 10 * time.Second
	denyTTL  = 0
)

// The maximum number of concurrent reviews: in total, and for one caller. Refusals are
// not cached, so a caller who is refused repeatedly would otherwise occupy the API
// server, which all share.
const reviews, reviewsOfCaller = 256, 2

// newReviews does not bound the queue: each waiter is an open request, and those are
// bounded.
func newReviews() *requests.Turns { return requests.NewTurns(reviews, reviewsOfCaller, math.MaxInt) }

// reviewBackoff is how often, and after which pauses, the cluster is asked again if it
// does not answer: three seconds in total.
func reviewBackoff() *wait.Backoff {
	return &wait.Backoff{Duration: 250 * time.Millisecond, Factor: 2, Jitter: 0.2, Steps: 5}
}

// Access asks the cluster what the caller of a request may do, by SubjectAccessReview
// with all that authentication found: name, UID, groups and extra. The caller is the
// user in the context, where this package's authentication put it. Answers are cached
// briefly. Access never asks about Latchkey's own rights, and does nothing in the
// caller's name.
type Access struct {
	cluster authorizer.UnconditionalAuthorizer
	turns   *requests.Turns
}

// NewAccess returns an Access that asks the cluster of cfg.
func NewAccess(cfg *rest.Config) (*Access, error) {
	client, err := authorizationclient.NewForConfig(reviewConfig(cfg))
	if err != nil {
		return nil, fmt.Errorf("set up access reviews: %w", err)
	}
	cluster, err := authorizerfactory.DelegatingAuthorizerConfig{
		SubjectAccessReviewClient: client,
		AllowCacheTTL:             allowTTL,
		DenyCacheTTL:              denyTTL,
		WebhookRetryBackoff:       reviewBackoff(),
	}.New()
	if err != nil {
		return nil, fmt.Errorf("set up access reviews: %w", err)
	}
	return &Access{cluster: cluster, turns: newReviews()}, nil
}

// reviewConfig returns cfg with protobuf encoding, because reviews are many and small,
// and belong to a built-in group.
func reviewConfig(cfg *rest.Config) *rest.Config {
	c := rest.CopyConfig(cfg)
	c.ContentType = "application/vnd.kubernetes.protobuf"
	c.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	return c
}

// UserSecrets reports whether the caller may use verb on the usersecrets of a namespace.
func (a *Access) UserSecrets(ctx context.Context, verb, namespace string) (bool, error) {
	return a.may(ctx, authorizer.AttributesRecord{
		Verb: verb, APIGroup: v1alpha1.GroupVersion.Group, APIVersion: v1alpha1.GroupVersion.Version,
		Resource: "usersecrets", Namespace: namespace,
	})
}

// AgentSecrets reports whether the caller may use verb on the agentsecrets of a
// namespace, or on the named one only.
func (a *Access) AgentSecrets(ctx context.Context, verb, namespace, name string) (bool, error) {
	return a.may(ctx, authorizer.AttributesRecord{
		Verb: verb, APIGroup: v1alpha1.GroupVersion.Group, APIVersion: v1alpha1.GroupVersion.Version,
		Resource: "agentsecrets", Namespace: namespace, Name: name,
	})
}

// RevealAgentSecret reports whether the caller may see the value of an agent secret or,
// if name is empty, of all in the namespace.
func (a *Access) RevealAgentSecret(ctx context.Context, namespace, name string) (bool, error) {
	return a.may(ctx, authorizer.AttributesRecord{
		Verb: "get", APIGroup: v1alpha1.GroupVersion.Group, APIVersion: v1alpha1.GroupVersion.Version,
		Resource: "agentsecrets", Subresource: "value", Namespace: namespace, Name: name,
	})
}

// MayGetSecret reports whether the caller may get a native Secret.
func (a *Access) MayGetSecret(ctx context.Context, namespace, name string) (bool, error) {
	return a.may(ctx, authorizer.AttributesRecord{
		Verb: "get", APIVersion: "v1", Resource: "secrets", Namespace: namespace, Name: name,
	})
}

// GetNamespace reports whether the caller may get a namespace.
func (a *Access) GetNamespace(ctx context.Context, name string) (bool, error) {
	// The API server sets this namespace in its own check, so a Role in it can allow
	// the request.
	return a.may(ctx, authorizer.AttributesRecord{
		Verb: "get", APIVersion: "v1", Resource: "namespaces", Namespace: name, Name: name,
	})
}

var errNobody = errors.New("no caller in the request's context")

func (a *Access) may(ctx context.Context, attributes authorizer.AttributesRecord) (bool, error) {
	caller, ok := request.UserFrom(ctx)
	if !ok {
		return false, errNobody
	}
	attributes.User = caller
	attributes.ResourceRequest = true
	turn, err := a.turns.Enter(requests.CallerOf(caller))
	if err != nil {
		return false, err
	}
	defer turn.Leave()
	if err := turn.Begin(ctx); err != nil {
		return false, err
	}
	decision, _, err := a.cluster.Authorize(ctx, attributes)
	if decision == authorizer.DecisionAllow {
		return true, nil // some authorizers allow and still report what they could not evaluate
	}
	if err != nil {
		return false, fmt.Errorf("%w: ask the cluster for the caller's rights: %w", store.ErrUnavailable, err)
	}
	return false, nil
}
