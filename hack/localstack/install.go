// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/utils/ptr"

	"github.com/latchkey-dev/latchkey/hack/internal/supervise"
	"github.com/latchkey-dev/latchkey/test/framework"
)

const (
	systemNamespace = "latchkey-system"

	tokenLifetime = 30 * 24 * time.Hour
	renewTokenAt  = 15 * 24 * time.Hour // a token older than that is replaced
)

// install applies config/local with its Services pointed at the load balancer.
func (s *stack) install(ctx context.Context) (string, error) {
	base := s.config("local")
	rendered, err := s.kubectl().Run(ctx, "", "kustomize", base)
	if err != nil {
		return "", err
	}
	manifests, err := framework.Localise(rendered, map[string]int{
		"latchkey-webhook": s.ports.number("balancer", "webhook"),
		"latchkey-server":  s.ports.number("balancer", "rest"),
	})
	if err != nil {
		return "", fmt.Errorf("%s: %w", s.relative(base), err)
	}
	applied, err := s.kubectl().Run(ctx, manifests, "apply", "--server-side", "--force-conflicts", "--field-manager=localstack", "-f", "-")
	if err != nil {
		return "", err
	}
	_, err = s.kubectl().Run(ctx, "", "wait", "--for=condition=Established", "--timeout=30s", "crd", "--all")
	return fmt.Sprintf("applied from %s (%d objects)", s.relative(base), strings.Count(applied, "\n")), err
}

// ensureToken writes the kubeconfig of a service account, unless the one that is there still works for a while.
func (s *stack) ensureToken(ctx context.Context, name string) (string, error) {
	path := s.path(name + ".kubeconfig")
	if info, err := os.Stat(path); err == nil && time.Since(info.ModTime()) < renewTokenAt {
		// Refused after the keys or the data of the control plane were replaced, or when its address changed.
		if out, err := s.kubectlAs(path).Run(ctx, "", "auth", "whoami", "--output", "jsonpath={.status.userInfo.username}"); err == nil &&
			out == "system:serviceaccount:"+systemNamespace+":latchkey-"+name {
			return "still good", nil
		}
	}
	token, err := s.newToken(ctx, systemNamespace, "latchkey-"+name)
	if err != nil {
		return "", err
	}
	return "issued", s.plane.WriteKubeconfig(path, &api.AuthInfo{Token: token})
}

func (s *stack) newToken(ctx context.Context, namespace, account string) (string, error) {
	token, err := s.kubectl().Run(ctx, "", "create", "token", account, "--namespace", namespace, "--duration", tokenLifetime.String())
	return strings.TrimSpace(token), err
}

// awaitTrust waits until the controller has given every webhook the authority that the API server checks it with, and
// the path that only the two of them know.
func (s *stack) awaitTrust(ctx context.Context) (string, error) {
	count := 0
	err := supervise.Eventually(ctx, time.Minute, func(ctx context.Context) error {
		var configuration admissionregistrationv1.MutatingWebhookConfiguration
		if err := s.get(ctx, &configuration, "mutatingwebhookconfiguration/latchkey"); err != nil {
			return err
		}
		for _, webhook := range configuration.Webhooks {
			if client := webhook.ClientConfig; len(client.CABundle) == 0 || client.Service == nil || ptr.Deref(client.Service.Path, "") == "" {
				return fmt.Errorf("webhook %s has no caBundle or no path", webhook.Name)
			}
		}
		count = len(configuration.Webhooks)
		return nil
	})
	return fmt.Sprintf("trusted (%d)", count), err
}
