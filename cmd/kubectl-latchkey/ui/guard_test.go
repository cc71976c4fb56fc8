// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package ui

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
)

func TestPage_ForgedHost_IsMisdirected(t *testing.T) {
	s := newStand(t, Options{})
	s.open(t)
	_, port, _ := strings.Cut(s.host, ":")
	for host, want := range map[string]int{
		s.host:             http.StatusNotFound, // as the cluster says: the request came through
		"attacker.invalid": http.StatusMisdirectedRequest, "attacker.invalid:" + port: http.StatusMisdirectedRequest,
		"localhost:" + port: http.StatusMisdirectedRequest, "127.0.0.1": http.StatusMisdirectedRequest, "[::1]:" + port: http.StatusMisdirectedRequest,
		"127.0.0.1.:" + port: http.StatusMisdirectedRequest,
	} {
		before := s.asked.Load()
		answer, _ := s.do(t, http.MethodGet, "/ns/alice/secrets", "", s.member(map[string]string{"Host": host}))
		if answer.StatusCode != want {
			t.Errorf("Host %s: %d, want %d", host, answer.StatusCode, want)
		}
		if asked := s.asked.Load() > before; asked != (host == s.host) {
			t.Errorf("Host %s: the cluster was asked: %v", host, asked)
		}
	}
}

func TestPage_Address_IsLoopbackWithTheCodeInItsFragment(t *testing.T) {
	s := newStand(t, Options{})
	if !strings.HasPrefix(s.host, "127.0.0.1:") {
		t.Errorf("it listens on %s", s.host)
	}
	if want := "http://" + s.host + "/#" + s.session.code; s.Address() != want {
		t.Errorf("the address is %s, want %s", s.Address(), want)
	}
}

func TestPage_RequestsOfOtherSites_ChangeNothing(t *testing.T) {
	for name, forged := range map[string]map[string]string{
		"cross-site post": {"Sec-Fetch-Site": "cross-site"},
		"same-site post":  {"Sec-Fetch-Site": "same-site"},
		"forged origin":   {"Origin": "http://attacker.invalid"},
		"null origin":     {"Origin": "null"},
		"other port":      {"Origin": "http://127.0.0.1:1"},
	} {
		s := newStand(t, Options{})
		s.open(t)
		answer, _ := s.do(t, http.MethodPost, "/ns/alice/remove/a", "", s.member(forged))
		if answer.StatusCode != http.StatusForbidden || s.asked.Load() != 0 {
			t.Errorf("%s: %d, and %d requests to the cluster", name, answer.StatusCode, s.asked.Load())
		}
	}
	s := newStand(t, Options{})
	s.open(t)
	answer, _ := s.do(t, http.MethodPost, "/ns/alice/remove/a", "", s.member(map[string]string{"Origin": "http://" + s.host, "Sec-Fetch-Site": "same-origin"}))
	if answer.StatusCode == http.StatusForbidden || s.asked.Load() == 0 {
		t.Errorf("the page's own post: %d, and %d requests to the cluster", answer.StatusCode, s.asked.Load())
	}
}

func TestPage_WithoutSecret_GetsNoDataAndAsksNothing(t *testing.T) {
	s := newStand(t, Options{})
	s.open(t)
	for _, path := range []string{"/", "/overview", "/namespaces", "/ns/alice/secrets", "/ns/alice/secret/a", "/ns/alice/agents", "/ns/alice/events"} {
		answer, text := s.do(t, http.MethodGet, path, "", nil)
		if answer.StatusCode != http.StatusOK || !strings.Contains(text, "<!doctype html>") {
			t.Errorf("GET %s as a browser opens it: %d", path, answer.StatusCode)
		}
		for _, secret := range []string{"", "x", strings.ToLower(s.secret), s.secret[:10], s.session.code} {
			answer, _ := s.do(t, http.MethodGet, path, "", map[string]string{sessionHeader: secret, "HX-Request": "true"})
			if answer.StatusCode != http.StatusUnauthorized {
				t.Errorf("GET %s with a wrong secret: %d", path, answer.StatusCode)
			}
		}
	}
	for _, path := range []string{"/ns/alice/form", "/ns/alice/form/a", "/ns/alice/remove/a", "/ns/alice/enabled/a", "/ns/alice/import", "/ns/alice/agent-form", "/ns/alice/reveal/a"} {
		if answer, _ := s.do(t, http.MethodPost, path, "", map[string]string{"Cookie": sessionHeader + "=" + s.secret}); answer.StatusCode != http.StatusUnauthorized {
			t.Errorf("POST %s without the header: %d", path, answer.StatusCode)
		}
	}
	if s.asked.Load() != 0 {
		t.Errorf("the cluster was asked %d times", s.asked.Load())
	}
	if _, text := s.do(t, http.MethodGet, "/ns/alice/secrets", "", s.member(nil)); s.asked.Load() == 0 {
		t.Errorf("with the secret nothing was asked either: %s", text)
	}
}

func TestPage_EveryAnswer_HasTheHeadersAndNoCookie(t *testing.T) {
	s := newStand(t, Options{})
	s.open(t)
	const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
	for _, r := range []struct{ method, path, host string }{
		{"GET", "/", s.host}, {"GET", "/static/page.js", s.host}, {"GET", "/ns/alice/secrets", s.host}, {"POST", "/ns/alice/form", s.host},
		{"POST", "/session", s.host}, {"GET", "/none", s.host}, {"DELETE", "/", s.host}, {"GET", "/", "attacker.invalid"},
	} {
		answer, _ := s.do(t, r.method, r.path, "", s.member(map[string]string{"Host": r.host}))
		for name, want := range map[string]string{
			"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "Set-Cookie": "",
		} {
			if got := answer.Header.Get(name); got != want {
				t.Errorf("%s %s: %s is %q, want %q", r.method, r.path, name, got, want)
			}
		}
	}
}

func TestPage_ReadOnly_RefusesEveryChange(t *testing.T) {
	for _, readOnly := range []bool{true, false} {
		for _, path := range []string{"form", "form/a", "remove/a", "enabled/a", "import", "agent-form", "agent-form/a", "reveal/a"} {
			s := newStand(t, Options{ReadOnly: readOnly})
			s.open(t)
			answer, text := s.do(t, http.MethodPost, "/ns/alice/"+path, "name=a&value=v&type=string&env=A", s.member(nil))
			if refused := answer.StatusCode == http.StatusForbidden && strings.Contains(text, "--read-only"); refused != readOnly {
				t.Errorf("read-only %v, POST %s: %d", readOnly, path, answer.StatusCode)
			}
			if readOnly && s.asked.Load() != 0 {
				t.Errorf("POST %s asked the cluster", path)
			}
		}
	}
}

func TestPage_Get_ChangesNothing(t *testing.T) {
	s := newStand(t, Options{})
	s.open(t)
	for _, path := range []string{"form", "form/a", "remove/a", "enabled/a", "import", "agent-form", "agent-form/a", "reveal/a", "secrets", "agents", "secret/a", "usage/a"} {
		_, _ = s.do(t, http.MethodGet, "/ns/alice/"+path+"?name=a&value=v&confirm=on", "", s.member(nil))
	}
	if s.changed.Load() != 0 {
		t.Errorf("%d changes by GET", s.changed.Load())
	}
	_, _ = s.do(t, http.MethodGet, "/session?"+s.session.code, "", nil)
	if answer, _ := s.do(t, http.MethodGet, "/ns/alice/reveal/a", "", s.member(nil)); answer.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET of a value: %d", answer.StatusCode)
	}
}

func TestPage_RefusedForm_RepeatsNothingThatWasTyped(t *testing.T) {
	s := newStand(t, Options{})
	s.open(t)
	const canary = "canary-0a51"
	for _, path := range []string{"form", "form/a", "agent-form", "agent-form/a"} {
		_, text := s.do(t, http.MethodPost, "/ns/alice/"+path, "name=%2F&env=1&file=x&type=x&value="+canary+"%00", s.member(nil))
		if strings.Contains(text, canary) || strings.Contains(text, "<form") || strings.Contains(text, "<textarea") {
			t.Errorf("POST %s answers %s", path, text)
		}
	}
	_, text := s.do(t, http.MethodPost, "/ns/alice/form", "name=%2F&env=1&file=x&value="+canary+"%00", s.member(nil))
	for _, id := range []string{"e-name", "e-value", "e-env", "e-file"} {
		if !strings.Contains(text, `id="`+id+`" data-for="f-`+id[2:]+`" hx-swap-oob="true"><svg`) {
			t.Errorf("no problem at %s, though all are wrong: %s", id, text)
		}
	}
}

// What a browser needs before it paints is the shell, the styles and a script of some lines.
func TestPage_Shell_IsPaintedBeforeItsScripts(t *testing.T) {
	s := newStand(t, Options{})
	_, shell := s.do(t, http.MethodGet, "/", "", nil)
	if n := strings.Count(shell, "<script"); n != 1 || !strings.Contains(shell, `<script src="/static/start.js" defer></script>`) {
		t.Errorf("the shell has %d scripts: %s", n, shell)
	}
	before := len(shell)
	for path, most := range map[string]int{"/static/start.js": 1_000, "/static/page.css": 17_000} {
		_, text := s.do(t, http.MethodGet, path, "", nil)
		if len(text) > most || text == "" {
			t.Errorf("%s has %d bytes, want at most %d", path, len(text), most)
		}
		before += len(text)
	}
	if before > 24_000 {
		t.Errorf("%d bytes before the first paint", before)
	}
}

func TestPage_Files_AreSmallAndAsPublished(t *testing.T) {
	total := 0
	for _, folder := range []string{"static", "templates"} {
		entries, err := files.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			text, err := files.ReadFile(folder + "/" + e.Name())
			if err != nil {
				t.Fatal(err)
			}
			total += len(text)
			// Version 2.0.11; integrity of its package: sha512-Thx/WtpeOQqSrqBCw/A1cwGJGg4UrVa3+sW0GmrM3p4gJgO89ecH4qtbnyzDDWFvBTqjnIMCgELTNt636dtamA==
			const want = "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717"
			if sum := sha256.Sum256(text); e.Name() == "htmx.min.js" && hex.EncodeToString(sum[:]) != want {
				t.Errorf("htmx.min.js was changed")
			}
		}
	}
	if total > 120_000 {
		t.Errorf("the page has %d bytes, want at most 120,000", total)
	}
}
