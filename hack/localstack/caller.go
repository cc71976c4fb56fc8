// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/latchkey-dev/latchkey/hack/internal/supervise"
)

// callerNamespace is a user and an environment at once, for whoever tries the REST APIs: the service account in it is
// the user, and may use the environment's secrets.
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
	manifests := s.dev("caller.yaml")
	if err := supervise.WriteFile(manifests, []byte(callerManifests)); err != nil {
		return "", err
	}
	if _, err := s.kubectl().Run(ctx, "", "apply", "--server-side", "--field-manager=localstack", "-f", manifests); err != nil {
		return "", err
	}
	token, err := s.kubectl().Run(ctx, "", "create", "token", "dev", "--namespace", callerNamespace, "--duration", tokenLifetime.String())
	if err != nil {
		return "", err
	}
	if err := supervise.WriteFile(s.dev("caller.token"), []byte(strings.TrimSpace(token))); err != nil {
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
		return supervise.WriteFile(s.dev("latchkey-ca.crt"), secret.Data["ca.crt"])
	})
	return "may call the REST APIs", err
}

// awaitAPIServices waits until the cluster passes requests on to the servers.
func (s *stack) awaitAPIServices(ctx context.Context) (string, error) {
	names := []string{"apiservice/v2.coder.latchkey.dev", "apiservice/v1.golem.latchkey.dev"}
	_, err := s.kubectl().Run(ctx, "", append([]string{"wait", "--for=condition=Available", "--timeout=60s"}, names...)...)
	return fmt.Sprintf("available (%d)", len(names)), err
}

// restVariables are the lines of bin/dev/env about the REST APIs; those of a stack that never had them are empty.
func (s *stack) restVariables() []supervise.Variable {
	token, err := os.ReadFile(s.dev("caller.token"))
	if err != nil {
		return nil
	}
	var urls []string
	for _, name := range s.serversUp() {
		urls = append(urls, s.restURL(name))
	}
	return []supervise.Variable{
		{Name: "LATCHKEY_URL", Value: s.restURL("balancer")},
		{Name: "LATCHKEY_URLS", Value: strings.Join(urls, " ")},
		{Name: "LATCHKEY_CA", Value: s.dev("latchkey-ca.crt")},
		{Name: "LATCHKEY_TOKEN", Value: string(token)},
	}
}

// restURL names a port by localhost, for which the certificate is valid.
func (s *stack) restURL(process string) string {
	return fmt.Sprintf("https://localhost:%d", s.ports.number(process, "rest"))
}

// serversUp returns the names of the servers that were started.
func (s *stack) serversUp() []string {
	names, err := s.Recorded()
	if err != nil {
		return nil
	}
	var out []string
	for _, name := range names {
		if strings.HasPrefix(name, "server-") {
			out = append(out, name)
		}
	}
	return out
}

// environmentID returns the id of the caller's environment.
func (s *stack) environmentID(ctx context.Context) (string, error) {
	var namespace struct {
		Metadata struct {
			UID string `json:"uid"`
		} `json:"metadata"`
	}
	err := s.get(ctx, &namespace, "namespace/"+callerNamespace)
	return namespace.Metadata.UID, err
}

// pretty indents JSON for reading; what is none stays as it is.
func pretty(text []byte) string {
	var v any
	if json.Unmarshal(text, &v) != nil {
		return strings.TrimSpace(string(text))
	}
	out, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return string(text)
	}
	return string(out)
}
