// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package peers

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/latchkey-dev/latchkey/internal/store"
)

// Path is where a replica tells the others when its cache has come to a write.
const Path = "/latchkey/seen"

const (
	// askFor is how long one question waits for its answer.
	askFor = 3 * time.Second
	// awaitFor is how long a replica is waited for that neither answers nor dies. It is
	// longer than one that died is, so that a death delays a write and fails none.
	awaitFor = waitFor + askFor
)

// Peers asks the other replicas.
type Peers struct {
	members *Members
	cfg     *rest.Config
	// ca returns the CA of the serving certificates.
	ca         func() []byte
	serverName string

	mu     sync.Mutex
	client *http.Client
	caUsed string
}

// New returns the other replicas. Cfg holds this process's credentials, ca returns
// the CA that signs all replicas' certificates, which are valid for serverName.
func New(members *Members, cfg *rest.Config, ca func() []byte, serverName string) *Peers {
	return &Peers{members: members, cfg: cfg, ca: ca, serverName: serverName}
}

// Await waits until every replica that serves has seen what mark says.
func (p *Peers) Await(ctx context.Context, mark store.Mark) error {
	alive := p.members.alive()
	if len(alive) == 0 {
		return nil
	}
	hc, err := p.httpClient()
	if err != nil {
		return fmt.Errorf("%w: reach the other replicas: %w", store.ErrUnavailable, err)
	}
	ctx, cancel := context.WithTimeout(ctx, awaitFor)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	for name, address := range alive {
		group.Go(func() error { return p.awaitOne(ctx, hc, name, address, mark) })
	}
	return group.Wait()
}

// awaitOne asks one replica until it has seen the mark, or does not serve any more.
func (p *Peers) awaitOne(ctx context.Context, hc *http.Client, name, address string, mark store.Mark) error {
	for left := p.members.left(name); left > 0; left = p.members.left(name) {
		err := ask(ctx, hc, address, mark, min(askFor, left))
		switch {
		case err == nil, errors.Is(err, syscall.ECONNREFUSED):
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("%w: another replica has not seen the write yet", store.ErrUnavailable)
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	return nil
}

func ask(ctx context.Context, hc *http.Client, address string, mark store.Mark, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	q := url.Values{"kind": {mark.Kind}, "namespace": {mark.Namespace}}
	if mark.Gone != "" {
		q.Set("name", mark.Name)
		q.Set("gone", string(mark.Gone))
	} else {
		q.Set("version", strconv.FormatUint(mark.Version, 10))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+address+Path+"?"+q.Encode(), http.NoBody)
	if err != nil {
		return err
	}
	resp, err := hc.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // nothing is lost with an answer that was read
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<16)); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("replica answered %d", resp.StatusCode)
	}
	return nil
}

// httpClient returns a client that trusts the present CA.
func (p *Peers) httpClient() (*http.Client, error) {
	ca := p.ca()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.client != nil && p.caUsed == string(ca) {
		return p.client, nil
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return nil, errors.New("the serving certificate's CA is not known yet")
	}
	transport := &http.Transport{
		TLSClientConfig:     &tls.Config{RootCAs: roots, ServerName: p.serverName, MinVersion: tls.VersionTLS13},
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: 4,
		IdleConnTimeout:     time.Minute,
	}
	// Credentials as for the API server, but for client certificates, which the
	// transport above has no use for.
	credentials := rest.AnonymousClientConfig(p.cfg)
	credentials.TLSClientConfig = rest.TLSClientConfig{}
	credentials.BearerToken, credentials.BearerTokenFile = p.cfg.BearerToken, p.cfg.BearerTokenFile
	rt, err := rest.HTTPWrappersForConfig(credentials, transport)
	if err != nil {
		return nil, err
	}
	p.client, p.caUsed = &http.Client{Transport: rt}, string(ca)
	return p.client, nil
}

// Seer waits until this replica's cache has seen something. The stores are such.
type Seer interface {
	// Seen waits until the cache has seen what mark says.
	Seen(ctx context.Context, mark store.Mark) error
}

// Handler answers the other replicas. Seers are by kind.
func Handler(seers map[string]Seer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		mark := store.Mark{Kind: q.Get("kind"), Namespace: q.Get("namespace"), Name: q.Get("name"), Gone: types.UID(q.Get("gone"))}
		version, err := strconv.ParseUint(q.Get("version"), 10, 64)
		seer := seers[mark.Kind]
		if seer == nil || (err != nil && mark.Gone == "") {
			answer(w, http.StatusBadRequest)
			return
		}
		mark.Version = version
		ctx, cancel := context.WithTimeout(r.Context(), askFor)
		defer cancel()
		if err := seer.Seen(ctx, mark); err != nil {
			answer(w, http.StatusServiceUnavailable)
			return
		}
		answer(w, http.StatusOK)
	})
}

func answer(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]bool{"seen": status == http.StatusOK})
}
