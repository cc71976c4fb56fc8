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

// For how long an answer of the cluster's is good. A right that was taken away works
// for that long. A refusal is not remembered: a right that was just granted works at
// once, and how much work a refusal is says nothing about what was refused before.
const (
	allowTTL = 10 * time.Second
	denyTTL  = 0
)

// How many questions are open at once: in all, and about one caller. Refusals are not
// remembered, so one who is refused over and over would make the API server, which all
// share, work for them alone.
const reviews, reviewsOfCaller = 256, 2

// newReviews sets no bound to the line: who asks has a request open, which counts already.
func newReviews() *requests.Turns { return requests.NewTurns(reviews, reviewsOfCaller, math.MaxInt) }

// reviewBackoff is how often, and after which pauses, the cluster is asked again when
// it does not answer: three seconds in all.
func reviewBackoff() *wait.Backoff {
	return &wait.Backoff{Duration: 250 * time.Millisecond, Factor: 2, Jitter: 0.2, Steps: 5}
}

// Access asks the cluster what the caller of a request may do, by SubjectAccessReview
// with all that authentication said of them: name, UID, groups and extra. The caller
// is the user in the context, where this package's authentication put it. Answers
// are cached for a short while. Latchkey's own rights are never asked for, and
// nothing is ever done in the caller's name.
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

// reviewConfig is cfg for reviews: they are small, many and of the built-in groups, so
// the shorter encoding is used.
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
// namespace, or on the one of them that is named.
func (a *Access) AgentSecrets(ctx context.Context, verb, namespace, name string) (bool, error) {
	return a.may(ctx, authorizer.AttributesRecord{
		Verb: verb, APIGroup: v1alpha1.GroupVersion.Group, APIVersion: v1alpha1.GroupVersion.Version,
		Resource: "agentsecrets", Namespace: namespace, Name: name,
	})
}

// RevealAgentSecret reports whether the caller may see the value of an agent secret, or,
// without a name, of all in the namespace.
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
	// The API server asks in the namespace itself, so that a Role there can allow it.
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
