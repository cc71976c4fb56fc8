// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"net/http"
	"strings"

	"k8s.io/apiserver/pkg/endpoints/filters"
	"k8s.io/apiserver/pkg/endpoints/request"
	genericapiserver "k8s.io/apiserver/pkg/server"
	genericfilters "k8s.io/apiserver/pkg/server/filters"

	"github.com/latchkey-dev/latchkey/internal/server/active"
	"github.com/latchkey-dev/latchkey/internal/server/coder"
	"github.com/latchkey-dev/latchkey/internal/server/requests"
)

// How many requests may have their caller authenticated by the cluster at once, in
// total and from one address. The cluster's answers about tokens are cached, so this is
// far more than the number of new clients.
const askingAtOnce, askingOfAddress = 256, 64

// buildChain puts the filters around the router. It reads from the inside out, in the
// order of k8s.io/apiserver's own chain. It leaves out CORS (no browser calls us),
// impersonation, and priority and fairness (which would have to read the cluster's
// configuration). It replaces four filters with our own: the deadline, because
// upstream's reads a query parameter that the dialects do not know, the limit of
// requests in flight, the recovery and the authorization.
func buildChain(router http.Handler, c *genericapiserver.Config, l limits, t *active.Tenure) http.Handler {
	handler := withRecovery(withHeadroom(withLease(router)))
	handler = withTurns(handler, l)
	handler = withAuthorization(handler, c.Authorization.Authorizer)
	handler = withFace(handler)
	handler = filters.WithAudit(handler, c.AuditBackend, c.AuditPolicyRuleEvaluator, c.LongRunningFunc)

	failed := filters.WithFailedAuthenticationAudit(withFace(http.HandlerFunc(notAuthenticated)), c.AuditBackend, c.AuditPolicyRuleEvaluator)
	asking := requests.NewTurns(askingAtOnce, askingOfAddress, queue*askingOfAddress)
	handler = filters.WithAuthentication(handler, remembering(c.Authentication.Authenticator, asking), failed, c.Authentication.APIAudiences,
		c.Authentication.RequestHeaderConfig)
	handler = withFailure(handler)

	handler = coder.Open(CoderRoot, handler)
	handler = genericfilters.WithTimeoutForNonLongRunningRequests(handler, c.LongRunningFunc)
	handler = withTimeout(handler, c.RequestTimeout)
	handler = genericfilters.WithWaitGroup(handler, c.LongRunningFunc, c.NonLongRunningRequestWaitGroup)
	handler = filters.WithCacheControl(handler)
	handler = genericfilters.WithHTTPLogging(handler)
	handler = filters.WithLatencyTrackers(handler)
	handler = filters.WithRequestInfo(handler, c.RequestInfoResolver)
	handler = filters.WithRequestReceivedTimestamp(handler)
	handler = withRecovery(handler)
	handler = filters.WithAuditInit(handler)
	handler = withBodyDeadline(handler, c.RequestTimeout/2)
	handler = withActive(handler, t)
	handler = withMetrics(handler)
	return withCoderCredentials(handler)
}

// noneLongRunning bounds every request, whatever its query says: this server has no
// watches.
func noneLongRunning(*http.Request, *request.RequestInfo) bool { return false }

// lenientInfo treats a path that looks like a resource's but is not one as a plain
// path, instead of failing.
type lenientInfo struct{ request.RequestInfoResolver }

// NewRequestInfo implements request.RequestInfoResolver.
func (l lenientInfo) NewRequestInfo(r *http.Request) (*request.RequestInfo, error) {
	if info, err := l.RequestInfoResolver.NewRequestInfo(r); err == nil {
		return info, nil
	}
	return &request.RequestInfo{Path: r.URL.Path, Verb: strings.ToLower(r.Method)}, nil
}
