// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package ui

import (
	"io"
	"net/http"
	"strings"
)

const (
	// sessionHeader carries the secret of the session. No form and no link of another site
	// can send a header, and no browser sends one by itself.
	sessionHeader = "Latchkey-Session"
	// liveHeader marks what the page asks by itself.
	liveHeader = "Latchkey-Live"

	contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
		"base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

	// maxBody is the size of the largest request: a file to import, as a form.
	maxBody = 4 << 20
	maxCode = 128
)

// guard stands in front of everything: who is not meant gets no further, and every answer
// says what browsers must not do with it.
func (s *Server) guard(next http.Handler) http.Handler {
	protected := http.NewCrossOriginProtection().Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		h.Set("Vary", "HX-Request, "+sessionHeader)
		// A name that was made to lead here is not this host.
		if r.Host != s.host {
			http.Error(w, "this is not "+r.Proto+" for another host", http.StatusMisdirectedRequest)
			return
		}
		switch r.Method {
		case http.MethodGet, http.MethodHead, http.MethodPost:
		default:
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		protected.ServeHTTP(w, r)
	})
}

// redeem exchanges the one-time code.
func (s *Server) redeem(w http.ResponseWriter, r *http.Request) {
	code, err := io.ReadAll(io.LimitReader(r.Body, maxCode))
	if err != nil {
		http.Error(w, "no code", http.StatusBadRequest)
		return
	}
	secret, ok := s.session.redeem(string(code))
	if !ok {
		http.Error(w, "this code cannot be used, or not any more", http.StatusForbidden)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, secret)
}

// member lets through what has the secret. A browser that only opens an address has not,
// and gets the empty shell, which asks again with it.
func (s *Server) member(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get(sessionHeader) == "" && (r.Method == http.MethodGet || r.Method == http.MethodHead) && r.Header.Get("HX-Request") == "" {
			s.render(w, http.StatusOK, "shell", s.shellData())
			return
		}
		if !s.session.admit(r.Header.Get(sessionHeader), r.Header.Get(liveHeader) == "") {
			s.render(w, http.StatusUnauthorized, "ended", s.shellData())
			return
		}
		next(w, r)
	}
}

// change is member for requests that change something, which --read-only refuses here
// whatever the page shows.
func (s *Server) change(next http.HandlerFunc) http.HandlerFunc {
	return s.member(func(w http.ResponseWriter, r *http.Request) {
		if s.readOnly {
			s.say(w, http.StatusForbidden, "This page was started with --read-only: nothing was changed.")
			return
		}
		next(w, r)
	})
}

// typed returns what a person typed into a field of several lines: browsers end them with
// CR LF.
func typed(r *http.Request, field string) string {
	return strings.ReplaceAll(r.PostFormValue(field), "\r\n", "\n")
}
