// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/latchkey-dev/latchkey/hack/internal/pki"
	"github.com/latchkey-dev/latchkey/hack/internal/supervise"
)

const (
	tokenLifetime = 30 * 24 * time.Hour
	renewTokenAt  = 15 * 24 * time.Hour // a token older than that is replaced
)

// install applies config/ with its Services pointed at the load balancer. It returns the kinds and names of the
// webhook configurations, for awaitTrust.
func (s *stack) install(ctx context.Context) (string, []string, error) {
	base, err := s.manifests()
	if err != nil {
		return "", nil, err
	}
	rendered, err := s.kubectl().run(ctx, "kustomize", base)
	if err != nil {
		return "", nil, err
	}
	relative, err := filepath.Rel(s.dev("overlay"), base)
	if err != nil {
		return "", nil, err
	}
	o, err := newOverlay(rendered, filepath.ToSlash(relative), map[string]int{
		"latchkey-webhook": s.ports.number("balancer", "webhook"),
		"latchkey-server":  s.ports.number("balancer", "rest"),
	})
	if err != nil {
		return "", nil, fmt.Errorf("%s: %w", s.relative(base), err)
	}
	if err := supervise.WriteFile(s.overlay("kustomization.yaml"), o.kustomization); err != nil {
		return "", nil, err
	}
	if _, err := s.kubectl().run(ctx, "apply", "--server-side", "--force-conflicts", "--field-manager=localstack",
		"-k", s.dev("overlay")); err != nil {
		return "", nil, err
	}
	if len(o.definitions) > 0 {
		wait := append([]string{"wait", "--for=condition=Established", "--timeout=30s"}, o.definitions...)
		if _, err := s.kubectl().run(ctx, wait...); err != nil {
			return "", nil, err
		}
	}
	return fmt.Sprintf("applied from %s (%d objects)", s.relative(base), o.objects), o.webhooks, nil
}

// manifests finds the kustomization for a stack whose processes run outside the cluster.
func (s *stack) manifests() (string, error) {
	for _, name := range []string{"local", "default"} {
		if _, err := os.Stat(filepath.Join(s.config(name), "kustomization.yaml")); err == nil {
			return s.config(name), nil
		}
	}
	return "", errors.New("neither config/local nor config/default has a kustomization.yaml")
}

// ensureToken writes the kubeconfig of a service account, unless the one that is there still works for a while.
func (s *stack) ensureToken(ctx context.Context, name string) (string, error) {
	path := s.dev(name + ".kubeconfig")
	current := kubectl{path: s.kubectl().path, kubeconfig: path, cacheDir: s.kubectl().cacheDir}
	if info, err := os.Stat(path); err == nil && s.Now().Sub(info.ModTime()) < renewTokenAt {
		// Refused after the keys or the data of the control plane were replaced, or when its address changed.
		if out, err := current.run(ctx, "auth", "whoami", "--output", "jsonpath={.status.userInfo.username}"); err == nil &&
			string(out) == "system:serviceaccount:"+systemNamespace+":latchkey-"+name {
			return "still good", nil
		}
	}
	out, err := s.kubectl().run(ctx, "create", "token", "latchkey-"+name, "--namespace", systemNamespace,
		"--duration", tokenLifetime.String(), "--output", "json")
	if err != nil {
		return "", err
	}
	var request struct {
		Status struct {
			Token string `json:"token"`
		} `json:"status"`
	}
	if err := json.Unmarshal(out, &request); err != nil || request.Status.Token == "" {
		return "", errors.New("the API server answered without a token")
	}
	return "issued", s.writeKubeconfig(path, pki.Credential{Token: request.Status.Token})
}

// awaitTrust waits until the controller has given every webhook the authority that the API server checks it with, and
// the path that only the two of them know.
func (s *stack) awaitTrust(ctx context.Context, configurations []string) error {
	if len(configurations) == 0 {
		return nil
	}
	return supervise.Eventually(ctx, time.Minute, func(ctx context.Context) error {
		for _, name := range configurations {
			var configuration struct {
				Webhooks []struct {
					Name         string `json:"name"`
					ClientConfig struct {
						CABundle []byte `json:"caBundle"`
						Service  struct {
							Path string `json:"path"`
						} `json:"service"`
					} `json:"clientConfig"`
				} `json:"webhooks"`
			}
			if err := s.kubectl().get(ctx, &configuration, name); err != nil {
				return err
			}
			for _, webhook := range configuration.Webhooks {
				if len(webhook.ClientConfig.CABundle) == 0 || webhook.ClientConfig.Service.Path == "" {
					return fmt.Errorf("webhook %s has no caBundle or no path", webhook.Name)
				}
			}
		}
		return nil
	})
}
