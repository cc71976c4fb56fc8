// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package ui

import (
	"io"
	"net/http"
	"strings"

	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/importing"
)

// imported is what an import is about to do, or did; without values.
type imported struct {
	Namespace               string
	Plan                    importing.Plan
	Writes, Refused, Kept   int
	Written                 bool
	Result                  importing.Result
	Trouble                 string
	Confirmed, ReplaceExist bool
}

func (s *Server) importForm(w http.ResponseWriter, r *http.Request) {
	s.render(w, http.StatusOK, "import", imported{Namespace: r.PathValue("ns")})
}

// importFile shows what a file would do, or does it. Nothing of the file stays here: to
// confirm sends it again, and what was shown is worked out again.
func (s *Server) importFile(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := asking(r)
	defer cancel()
	fail := func(status int, text string) {
		s.render(w, status, "import-result", imported{Trouble: text})
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
		fail(http.StatusUnprocessableEntity, sentence(err.Error()))
		return
	}
	d := imported{Namespace: r.PathValue("ns"), ReplaceExist: r.PostFormValue("overwrite") != ""}
	if d.Plan, err = importing.Make(ctx, s.cluster, d.Namespace, entries, d.ReplaceExist, "“Replace values”"); err != nil {
		fail(troubleOf(err).status, sentence(strings.TrimPrefix(err.Error(), "refused: ")))
		return
	}
	d.Writes, d.Refused, d.Kept = d.Plan.Count(importing.Create, importing.Overwrite), d.Plan.Count(importing.Refused), d.Plan.Count(importing.Keep)
	if r.PostFormValue("confirm") == "" || d.Refused > 0 || d.Writes == 0 {
		s.render(w, http.StatusOK, "import-result", d)
		return
	}
	d.Written = true
	if d.Result, err = d.Plan.Write(ctx, s.cluster, d.Namespace); err != nil {
		d.Trouble = sentence(strings.TrimPrefix(err.Error(), "refused: "))
	}
	s.render(w, http.StatusOK, "import-result", d)
}
