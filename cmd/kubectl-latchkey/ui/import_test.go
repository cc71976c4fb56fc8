// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package ui

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/importing"
)

func TestImport_Confirmation_IsForWhatWasShownAlone(t *testing.T) {
	s := newStand(t, Options{})
	plan := func(action string) importing.Plan { return importing.Plan{{Key: "A", Action: action}} }
	shown := s.tokenOf("alice", []byte("A=1"), plan(importing.Create))
	if again := s.tokenOf("alice", []byte("A=1"), plan(importing.Create)); again != shown {
		t.Errorf("the same import has another token: %s and %s", shown, again)
	}
	if sum := sha256.Sum256([]byte("A=1")); strings.Contains(shown, hex.EncodeToString(sum[:8])) {
		t.Error("the token is a hash of the file")
	}
	for name, other := range map[string]string{
		"another file":      s.tokenOf("alice", []byte("A=2"), plan(importing.Create)),
		"another plan":      s.tokenOf("alice", []byte("A=1"), plan(importing.Overwrite)),
		"another namespace": s.tokenOf("bob", []byte("A=1"), plan(importing.Create)),
		"a page of its own": newStand(t, Options{}).tokenOf("alice", []byte("A=1"), plan(importing.Create)),
		"nothing":           s.tokenOf("alice", nil, nil),
	} {
		if other == shown {
			t.Errorf("%s has the same token", name)
		}
	}
}

// TestImport_WithoutARight_TellsWhoGrantsIt holds that a preview which is refused has the
// command that mends it, as the command line does.
func TestImport_WithoutARight_TellsWhoGrantsIt(t *testing.T) {
	s := newStandOn(t, Options{}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403,"details":{"group":"latchkey.dev","kind":"usersecrets"},
"message":"usersecrets.latchkey.dev is forbidden: User \"bob\" cannot list resource \"usersecrets\" in API group \"latchkey.dev\" in the namespace \"alice\""}`)
	})
	s.open(t)
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	file, err := form.CreateFormFile("file", "x.env")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(file, "A=canary-import\n")
	if err := form.Close(); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "http://"+s.host+"/ns/alice/import", &body)
	r.Header.Set("Content-Type", form.FormDataContentType())
	r.SetPathValue("ns", "alice")
	w := httptest.NewRecorder()
	s.importFile(w, r)
	text := w.Body.String()
	for _, want := range []string{"bob may not list usersecrets.latchkey.dev in namespace alice", "<code>kubectl -n alice create rolebinding latchkey-view-bob --clusterrole=latchkey-view --user=bob</code>"} {
		if w.Code != http.StatusForbidden || !strings.Contains(text, want) {
			t.Errorf("it lacks %q: %d %s", want, w.Code, text)
		}
	}
	if strings.Contains(text, "canary-import") {
		t.Error("the answer has a value")
	}
}
