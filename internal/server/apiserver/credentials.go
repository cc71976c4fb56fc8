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

// The places in which a Coder client sends its token.
const (
	coderHeader = "Coder-Session-Token"
	coderQuery  = "coder_session_token"
)

// withCoderCredentials moves the credentials of a Coder client to the header that
// authentication reads, and removes them from the request. It must be the outermost
// handler. Behind it, a token is in the header Authorization only, so no log line or
// audit record with the request's URL can contain it.
//
// "Authorization: Bearer" takes precedence over the header Coder-Session-Token, and
// that over the query parameter: the first is what every client of a cluster sends, and
// what proxies add on purpose. The others are used on the Coder dialect's paths only,
// and are removed on all paths. On the aggregated face, a caller whom the front proxy
// vouches for stays that caller, whatever tokens are sent.
//
// One request is answered with its own token: the request for a key. Only for that one,
// the token is passed on, in the context and in a type that does not print.
//
// Through the aggregation layer, the API server has logged and audited the query before
// we see it. Clients there use the credentials of their kubeconfig and do not need the
// parameter.
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

// cutToken returns the query without the parameters that name the token, and the first
// token. The other parameters stay byte for byte. It also removes a parameter that only
// contains the name, as in a malformed query: losing it is better than logging it.
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

// bearer returns the token of "Authorization: Bearer", or "".
func bearer(h http.Header) string {
	scheme, token, _ := strings.Cut(strings.TrimSpace(h.Get("Authorization")), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}
