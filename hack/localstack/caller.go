// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"k8s.io/client-go/rest"

	"github.com/latchkey-dev/latchkey/hack/internal/supervise"
)

// callerNamespace is a user and an environment at once, for those who try the REST APIs: the service account in it is the
// user, and may use the environment's secrets.
const callerNamespace = "dev"

const callerManifests = `
apiVersion: v1
kind: Namespace
metadata:
  name: dev
  labels: {latchkey.dev/user: dev, latchkey.dev/environment: dev}
  annotations: {latchkey.dev/subjects: "system:serviceaccount:dev:dev"}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: dev, namespace: dev}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: dev-view, namespace: dev}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: latchkey-view}
subjects: [{kind: ServiceAccount, name: dev, namespace: dev}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: dev-edit, namespace: dev}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: latchkey-edit}
subjects: [{kind: ServiceAccount, name: dev, namespace: dev}]
`

// ensureCaller makes somebody who can call the REST APIs, and writes down how: their token and the CA to trust.
func (s *stack) ensureCaller(ctx context.Context) (string, error) {
	if _, err := s.kubectl().Run(ctx, callerManifests, "apply", "--server-side", "--field-manager=localstack", "-f", "-"); err != nil {
		return "", err
	}
	token, err := s.newToken(ctx, callerNamespace, "dev")
	if err != nil {
		return "", err
	}
	if err := supervise.WriteFile(s.path("caller.token"), []byte(token)); err != nil {
		return "", err
	}
	// The controller makes the certificate; by now the servers are ready, so it is there.
	err = supervise.Eventually(ctx, time.Minute, func(ctx context.Context) error {
		var secret struct {
			Data map[string][]byte `json:"data"`
		}
		if err := s.get(ctx, &secret, "secret/latchkey-server-tls", "--namespace", systemNamespace); err != nil {
			return err
		}
		if len(secret.Data["ca.crt"]) == 0 {
			return errors.New("the serving certificate is not there yet")
		}
		return supervise.WriteFile(s.path("latchkey-ca.crt"), secret.Data["ca.crt"])
	})
	return "may call the REST APIs", err
}

// awaitAPIServices waits until the cluster passes requests on to the servers.
func (s *stack) awaitAPIServices(ctx context.Context) (string, error) {
	names := []string{"apiservice/v2.coder.latchkey.dev", "apiservice/v1.golem.latchkey.dev"}
	_, err := s.kubectl().Run(ctx, "", append([]string{"wait", "--for=condition=Available", "--timeout=60s"}, names...)...)
	return fmt.Sprintf("available (%d)", len(names)), err
}

// call is one request of the quickstart, printed as the curl command that sends it.
type call struct{ method, path, body string }

// showREST shows both APIs on Latchkey's own port and through the cluster.
func (s *stack) showREST(ctx context.Context) error {
	environment, err := s.kubectl().Run(ctx, "", "get", "namespace", callerNamespace, "--output", "jsonpath={.metadata.uid}")
	if err != nil {
		return err
	}
	linef("\nThe same objects through the two REST APIs, as the user %s:", callerNamespace)
	agents := "/v1/envs/" + environment + "/agent-secrets"
	for _, c := range []call{
		{http.MethodPost, "/api/v2/users/me/secrets", `{"name":"npm-token","value":"quickstart-sample","env_name":"NPM_TOKEN"}`},
		{http.MethodGet, "/api/v2/users/me/secrets", ""},
		{http.MethodPost, agents, `{"path":["mail","api_key"],"secretType":{"type":"Str"},"secretValue":"quickstart-sample"}`},
		{http.MethodGet, agents, ""},
	} {
		if err := s.call(ctx, c); err != nil {
			return err
		}
	}
	linef("\nand through the cluster's own API server, as its administrator:")
	for _, path := range []string{
		"/apis/coder.latchkey.dev/v2/users/" + callerNamespace + "/secrets/npm-token",
		"/apis/golem.latchkey.dev/v1/envs/" + environment + "/agent-secrets",
	} {
		out, err := s.kubectl().Run(ctx, "", "get", "--raw", path)
		if err != nil {
			return err
		}
		linef("\n$ kubectl get --raw %s\n%s", path, pretty([]byte(out)))
	}
	return nil
}

// call sends one request as the caller of bin/dev/env. What a second quickstart finds made already is no failure.
func (s *stack) call(ctx context.Context, c call) error {
	client, err := rest.HTTPClientFor(&rest.Config{
		BearerTokenFile: s.path("caller.token"), TLSClientConfig: rest.TLSClientConfig{CAFile: s.path("latchkey-ca.crt")}, Timeout: 20 * time.Second,
	})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, c.method, s.restURL("balancer")+c.path, strings.NewReader(c.body))
	if err != nil {
		return err
	}
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
	linef("\n$ %s\n%s", c.curl(), pretty(answer))
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

// pretty indents JSON for reading; what is none stays as it is.
func pretty(text []byte) string {
	var out bytes.Buffer
	if json.Indent(&out, bytes.TrimSpace(text), "", "  ") != nil {
		return strings.TrimSpace(string(text))
	}
	return out.String()
}
