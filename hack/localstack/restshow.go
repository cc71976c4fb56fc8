// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

// call is one request of the tour, printed as the curl command that sends it.
type call struct{ method, path, body string }

// showREST shows both APIs on Latchkey's own port and through the cluster.
func (t *tour) showREST(ctx context.Context) error {
	if !t.options.rest {
		return nil
	}
	environment, err := t.environmentID(ctx)
	if err != nil {
		return err
	}
	t.Linef("\nThe same objects through the two REST APIs, as the user %s:", callerNamespace)
	agents := "/v1/envs/" + environment + "/agent-secrets"
	for _, c := range []call{
		{http.MethodPost, "/api/v2/users/me/secrets", `{"name":"npm-token","value":"quickstart-sample","env_name":"NPM_TOKEN"}`},
		{http.MethodGet, "/api/v2/users/me/secrets", ""},
		{http.MethodPost, agents, `{"path":["mail","api_key"],"secretType":{"type":"Str"},"secretValue":"quickstart-sample"}`},
		{http.MethodGet, agents, ""},
	} {
		if err := t.call(ctx, c); err != nil {
			return err
		}
	}
	t.Linef("\nand through the cluster's own API server, as its administrator:")
	for _, path := range []string{
		"/apis/coder.latchkey.dev/v2/users/" + callerNamespace + "/secrets/npm-token",
		"/apis/golem.latchkey.dev/v1/envs/" + environment + "/agent-secrets",
	} {
		out, err := t.kubectl().Run(ctx, "", "get", "--raw", path)
		if err != nil {
			return err
		}
		t.Linef("\n$ kubectl get --raw %s\n%s", path, pretty([]byte(out)))
	}
	return nil
}

// call sends one request as the caller of bin/dev/env. What a second quickstart finds made already is no failure.
func (t *tour) call(ctx context.Context, c call) error {
	ca, err := os.ReadFile(t.dev("latchkey-ca.crt"))
	if err != nil {
		return err
	}
	token, err := os.ReadFile(t.dev("caller.token"))
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return errors.New("the CA of the REST APIs is no certificate")
	}
	client := &http.Client{
		Timeout:   20 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}},
	}
	req, err := http.NewRequestWithContext(ctx, c.method, t.restURL("balancer")+c.path, strings.NewReader(c.body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+string(token))
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return err
	}
	t.Linef("\n$ %s\n%s", c.curl(), pretty(answer))
	if resp.StatusCode >= http.StatusMultipleChoices && resp.StatusCode != http.StatusConflict {
		return fmt.Errorf("%s %s answered %s", c.method, c.path, resp.Status)
	}
	return nil
}

// curl is the command that sends the request, in terms of bin/dev/env.
func (c call) curl() string {
	out := `curl --cacert $LATCHKEY_CA -H "Authorization: Bearer $LATCHKEY_TOKEN"`
	if c.method != http.MethodGet {
		out += " -X " + c.method
	}
	if c.body != "" {
		out += ` -H "Content-Type: application/json" -d '` + c.body + `'`
	}
	return out + " $LATCHKEY_URL" + c.path
}
