// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/latchkey-dev/latchkey/internal/seal"
	"github.com/latchkey-dev/latchkey/internal/server/coder"
)

// Where a Coder client puts its token.
const (
	coderHeader = "Coder-Session-Token"
	coderQuery  = "coder_session_token"
)

// withCoderCredentials turns the credentials of a Coder client into the one form
// that authentication knows, and takes them out of the request. It has to be the
// outermost of all handlers: behind it, a token is in the header Authorization and
// nowhere else, so that no log line or audit record about the request's address can
// hold one.
//
// An "Authorization: Bearer" wins over the header Coder-Session-Token, and that over
// the query parameter: the first is what every client of a cluster sends, and what
// proxies in front of it add on purpose. They are used on the Coder dialect's paths
// alone and are removed on all. On the aggregated face, a caller whom the front
// proxy vouches for stays that caller, whatever tokens come along.
//
// One request is answered with its own token, that for a key. There alone the token
// goes on, in the context and in a type that does not print.
//
// Through the aggregation layer, the API server has logged and audited the query
// before we see it. Clients there have their kubeconfig's credentials and no need
// for the parameter.
func withCoderCredentials(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := r.Header.Get(coderHeader)
		r.Header.Del(coderHeader)
		if query, fromQuery := cutToken(r.URL.RawQuery); query != r.URL.RawQuery {
			if token == "" {
				token = fromQuery
			}
			r.URL.RawQuery = query
			path, _, _ := strings.Cut(r.RequestURI, "?")
			if query != "" {
				path += "?" + query
			}
			r.RequestURI = path
		}
		if token != "" && dialectOf(r.URL.Path) == coderDialect && bearer(r.Header) == "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		if coder.WantsCredential(CoderRoot, r) {
			if token = bearer(r.Header); token != "" {
				r = r.WithContext(coder.WithCredential(r.Context(), seal.ValueOf(token)))
			}
		}
		handler.ServeHTTP(w, r)
	})
}

// cutToken returns the query without whatever names the token, and the first token.
// The other parameters stay byte for byte as they were. A parameter that merely
// mentions the name, as in a query that is malformed, goes too: better to lose it
// than to log it.
func cutToken(query string) (rest, token string) {
	var kept []string
	for parameter := range strings.SplitSeq(query, "&") {
		plain, err := url.QueryUnescape(parameter)
		if err != nil {
			plain = parameter
		}
		if !strings.Contains(strings.ToLower(plain), coderQuery) {
			kept = append(kept, parameter)
			continue
		}
		values, err := url.ParseQuery(parameter)
		if err == nil && token == "" {
			token = values.Get(coderQuery)
		}
	}
	return strings.Join(kept, "&"), token
}

// bearer returns the token of an "Authorization: Bearer", if there is one.
func bearer(h http.Header) string {
	scheme, token, _ := strings.Cut(strings.TrimSpace(h.Get("Authorization")), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}
