// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package ui

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"

	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/importing"
)

// imported is what an import is about to do, or did; without values.
type imported struct {
	Namespace             string
	Plan                  importing.Plan
	Writes, Refused, Kept int
	Written               bool
	Result                importing.Result
	Trouble               string
	Commands              []string
	// Token stands for this file and this plan.
	Token string
}

func (s *Server) importForm(w http.ResponseWriter, r *http.Request) {
	s.render(w, http.StatusOK, "import", imported{Namespace: r.PathValue("ns")})
}

// importFile shows what a file would do, or does it. Nothing of the file stays here: to
// confirm sends it again, and what was shown is worked out again. Another file, or another
// plan since something changed meanwhile, is shown instead.
func (s *Server) importFile(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := asking(r)
	defer cancel()
	fail := func(status int, text string, commands ...string) {
		s.render(w, status, "import-result", imported{Trouble: text, Commands: commands})
	}
	file, header, err := r.FormFile("file")
	if err != nil {
		fail(http.StatusUnprocessableEntity, "Choose a file first.")
		return
	}
	defer func() { _ = file.Close() }()
	text, err := io.ReadAll(io.LimitReader(file, importing.MaxBytes))
	if err != nil {
		fail(http.StatusBadRequest, "The file did not arrive.")
		return
	}
	format := r.PostFormValue("format")
	if format == "" {
		format = importing.FormatOf(header.Filename)
	}
	if format == "" {
		fail(http.StatusUnprocessableEntity, "The name of the file does not say its format: choose it.")
		return
	}
	entries, err := importing.Parse(format, string(text))
	if err != nil {
		fail(http.StatusUnprocessableEntity, sentence(cluster.Reason(err)))
		return
	}
	d := imported{Namespace: r.PathValue("ns")}
	d.Plan, err = importing.Make(ctx, s.cluster, d.Namespace, entries, r.PostFormValue("overwrite") != "", "“Replace values”")
	if err == nil {
		err = d.Plan.DryRun(ctx, s.cluster, d.Namespace, unsaid)
	}
	if err != nil {
		t := troubleOf(err)
		fail(t.status, t.Text, t.Commands...)
		return
	}
	d.Writes, d.Refused, d.Kept = d.Plan.Count(importing.Create, importing.Overwrite), d.Plan.Count(importing.Refused), d.Plan.Count(importing.Keep)
	d.Token = s.tokenOf(d.Namespace, text, d.Plan)
	if !hmac.Equal([]byte(r.PostFormValue("confirm")), []byte(d.Token)) || d.Refused > 0 || d.Writes == 0 {
		s.render(w, http.StatusOK, "import-result", d)
		return
	}
	d.Written = true
	if d.Result, err = d.Plan.Write(ctx, s.cluster, d.Namespace, unsaid); err != nil {
		d.Trouble = sentence(cluster.Reason(err))
	}
	s.render(w, http.StatusOK, "import-result", d)
}

// tokenOf stands for a file and what it would do, and tells neither: its key is the session's.
func (s *Server) tokenOf(namespace string, file []byte, plan importing.Plan) string {
	mac := hmac.New(sha256.New, []byte(s.session.secret))
	_, _ = fmt.Fprintf(mac, "%q", namespace)
	for _, p := range plan {
		_, _ = fmt.Fprintf(mac, "%q%q", p.Key, p.Action)
	}
	mac.Write(file)
	return hex.EncodeToString(mac.Sum(nil))
}

// unsaid is how far an import is, for a page that shows the end alone.
func unsaid(int, int) {}
