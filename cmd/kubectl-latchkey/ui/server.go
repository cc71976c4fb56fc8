// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package ui

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
)

const (
	// askLife bounds what one request asks of the cluster.
	askLife = 15 * time.Second
	// lookAtClock is how often a session's time is looked at.
	lookAtClock = time.Second
)

//go:embed templates static
var files embed.FS

// Options are those of the command.
type Options struct {
	// Port is the port on 127.0.0.1; 0 for any.
	Port int
	// Namespace is where the page begins.
	Namespace string
	// System is Latchkey's own namespace.
	System string
	// ReadOnly refuses every change.
	ReadOnly bool
	// Version is the plugin's.
	Version string
}

// Server is a page and its session.
type Server struct {
	cluster  *cluster.Cluster
	options  Options
	readOnly bool
	session  *session
	pages    *template.Template
	listener net.Listener
	host     string
}

// Listen takes a port on loopback for the page.
func Listen(ctx context.Context, c *cluster.Cluster, o Options) (*Server, error) {
	return listen(ctx, c, o, time.Now)
}

func listen(ctx context.Context, c *cluster.Cluster, o Options, now func() time.Time) (*Server, error) {
	pages, err := template.New("").Funcs(functions).ParseFS(files, "templates/*.html")
	if err != nil {
		return nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", fmt.Sprintf("127.0.0.1:%d", o.Port))
	if err != nil {
		return nil, fmt.Errorf("--port: %w. Try: kubectl latchkey ui --port 0", err)
	}
	return &Server{
		cluster: c, options: o, readOnly: o.ReadOnly, session: newSession(now), pages: pages, listener: listener, host: listener.Addr().String(),
	}, nil
}

// Address is where the page is. Its fragment is the one-time code, which browsers send to
// nobody.
func (s *Server) Address() string { return "http://" + s.host + "/#" + s.session.code }

// Serve serves until ctx or the session ends, and returns why the latter did.
func (s *Server) Serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	server := &http.Server{
		Handler:           s.handler(),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       time.Minute,
		// What net/http says of a request is no matter of the person at the terminal.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(s.listener) }()
	clock := time.NewTicker(lookAtClock)
	defer clock.Stop()
	for {
		select {
		case err := <-failed:
			return err
		case <-ctx.Done():
			return errors.Join(ctx.Err(), server.Close())
		case <-clock.C:
		case <-s.session.ended:
		}
		if why := s.session.check(); why != nil {
			cancel()
			return &cli.Error{Code: codeOf(why), Err: errors.Join(why, closeSoon(server))}
		}
	}
}

// closeSoon lets the answer to the request that ended the session out.
func closeSoon(server *http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if server.Shutdown(ctx) == nil {
		return nil
	}
	return server.Close()
}

func codeOf(why error) int {
	if errors.Is(why, errReplayed) {
		return cli.CodeRefused
	}
	return cli.CodeTimeout
}

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	static, err := fs.Sub(files, "static")
	if err != nil {
		panic(err) // the folder is embedded
	}
	mux.Handle("GET /static/", http.StripPrefix("/static/", http.FileServerFS(static)))
	mux.HandleFunc("POST /session", s.redeem)
	mux.HandleFunc("GET /{$}", s.member(s.start))
	mux.HandleFunc("GET /overview", s.member(s.overview))
	mux.HandleFunc("GET /namespaces", s.member(s.namespaces))
	mux.HandleFunc("GET /events", s.member(s.events))
	for path, show := range map[string]http.HandlerFunc{
		"secrets": s.secrets, "secret/{name}": s.secret, "usage/{name}": s.usage,
		"form": s.form, "form/{name}": s.form, "remove/{name}": s.removal, "import": s.importForm,
		"agents": s.agents, "agent-form": s.agentForm, "agent-form/{name}": s.agentForm, "events": s.events,
	} {
		mux.HandleFunc("GET /ns/{ns}/"+path, s.member(show))
	}
	for path, change := range map[string]http.HandlerFunc{
		"form": s.create, "form/{name}": s.update, "enabled/{name}": s.enable, "remove/{name}": s.remove,
		"import": s.importFile, "agent-form": s.setAgent, "agent-form/{name}": s.setAgent,
	} {
		mux.HandleFunc("POST /ns/{ns}/"+path, s.change(change))
	}
	// It changes nothing, and who looks over a shoulder is not to see it.
	mux.HandleFunc("POST /ns/{ns}/reveal/{name}", s.change(s.reveal))
	return s.guard(mux)
}

// render writes a fragment, or nothing of it where that fails.
func (s *Server) render(w http.ResponseWriter, status int, name string, data any) {
	var text bytes.Buffer
	if err := s.pages.ExecuteTemplate(&text, name, data); err != nil {
		http.Error(w, "the page cannot be shown", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(text.Bytes())
}

// say answers a form by words alone: what was typed stays where it is.
func (s *Server) say(w http.ResponseWriter, status int, text string) {
	s.render(w, status, "problems", problems{Form: text})
}

// asking bounds what a request asks of the cluster.
func asking(r *http.Request) (context.Context, context.CancelFunc) {
	return context.WithTimeout(r.Context(), askLife)
}

type shell struct {
	Namespace, Start string
	ReadOnly         bool
	Version          string
}

func (s *Server) shellData() shell {
	return shell{Namespace: s.options.Namespace, Start: "/ns/" + s.options.Namespace + "/secrets", ReadOnly: s.readOnly, Version: s.options.Version}
}

// start is asked for by nobody but a shell that did not go on.
func (s *Server) start(w http.ResponseWriter, r *http.Request) {
	r.SetPathValue("ns", s.options.Namespace)
	s.secrets(w, r)
}
