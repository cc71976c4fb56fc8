// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package ui

import (
	"errors"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
)

// trouble is a screen that says what is missing, and the command that mends it.
type trouble struct {
	Title, Text string
	Commands    []string
	// Again reports whether trying again may help.
	Again  bool
	Path   string
	status int
}

// troubleOf says what an error of the cluster means.
func troubleOf(err error) trouble {
	err = cluster.Explain(err)
	text, commands := splitCommands(strings.TrimPrefix(err.Error(), "refused: "))
	t := trouble{Text: text, Commands: commands, Again: true, status: http.StatusBadGateway}
	var refused *cli.Error
	var missing *noNamespace
	switch {
	case errors.As(err, &missing):
		t.Title, t.status = "There is no such namespace", http.StatusNotFound
		t.Commands = []string{"kubectl latchkey ui -n NAMESPACE", "kubectl create namespace " + missing.name}
		t.Text += " Choose another above, or have it made."
	case cluster.IsForbidden(err):
		t.Title, t.status = "You may not see this", http.StatusForbidden
	case apierrors.IsUnauthorized(err):
		t.Title, t.Text, t.status = "Your login has expired", "The cluster does not know you any more. Log in again, then try again here: the page takes your new login by itself.", http.StatusBadGateway
		t.Commands = []string{"kubectl auth whoami"}
	case apierrors.IsServiceUnavailable(err) || apierrors.IsInternalError(err) || apierrors.IsTimeout(err) || apierrors.IsServerTimeout(err) || apierrors.IsTooManyRequests(err):
		t.Title, t.status = "The cluster cannot answer now", http.StatusServiceUnavailable
	case apierrors.IsNotFound(err):
		t.Title, t.status = "It is not there", http.StatusNotFound
		if name := secretIn(err); name != "" {
			t.Text = "There is no secret " + name + " in this namespace. It may have been deleted."
		}
	case errors.As(err, &refused) && refused.Code == cli.CodeRefused:
		t.Title, t.status = "This does not work here", http.StatusConflict
	case isAPI(err):
		t.Title = "The cluster refused"
	default:
		t.Title, t.Text = "The cluster cannot be reached", sentence(text)
	}
	return t
}

// secretIn returns the name of the secret that an error of the API server is about.
func secretIn(err error) string {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil {
		return ""
	}
	if of := status.Status().Details; of.Kind == cluster.UserSecrets || of.Kind == cluster.AgentSecrets {
		return of.Name
	}
	return ""
}

func isAPI(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status)
}

// splitCommands takes the commands out of what the command line would say.
func splitCommands(text string) (string, []string) {
	var lines, commands []string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if trimmed := strings.TrimSpace(line); strings.HasPrefix(trimmed, "kubectl ") {
			commands = append(commands, trimmed)
			continue
		}
		if before, command, has := strings.Cut(line, " Try: "); has {
			line = before
			commands = append(commands, command)
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n"), commands
}

// Down reports whether the cluster does not answer, which passes.
func (t trouble) Down() bool { return t.status >= http.StatusInternalServerError }

// fail shows an error as a screen. What the page shows already stays while the cluster does
// not answer, so what it asks by itself gets the reason alone.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	t := troubleOf(err)
	if r.Header.Get(liveHeader) != "" && t.Down() {
		s.render(w, t.status, "stale", t)
		return
	}
	t.Path = r.URL.RequestURI()
	s.render(w, t.status, "trouble", t)
}

// refuse answers a form: what concerns a field stands beside it.
func (s *Server) refuse(w http.ResponseWriter, err error) {
	t := troubleOf(err)
	p := problemsOf(err)
	if p.empty() {
		p.Form = t.Title + ": " + t.Text
		p.Commands = t.Commands
	}
	if t.status == http.StatusServiceUnavailable || t.status == http.StatusBadGateway {
		p.Form += " What you typed is still here: try again."
	}
	s.render(w, t.status, "problems", p)
}
