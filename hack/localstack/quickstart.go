// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/latchkey-dev/latchkey/hack/internal/supervise"
)

// tour is what the steps of the quickstart share.
type tour struct {
	*stack
	samples []sample
}

// quickstart shows Latchkey at work and leaves the stack up. Each step prints what a person wants to see of it.
func (s *stack) quickstart(ctx context.Context) error {
	t := &tour{stack: s}
	for _, step := range []func(context.Context) error{
		s.up,
		t.applySamples,
		t.awaitReady,
		t.showObjects,
		t.showSecrets,
		s.showREST,
		t.search,
		t.showWayOn,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (t *tour) applySamples(ctx context.Context) error {
	return supervise.Step(ctx, "samples", func(ctx context.Context) (string, error) {
		stream, err := t.kubectl().Run(ctx, "", "kustomize", t.config("samples"))
		if err != nil {
			return "", err
		}
		if t.samples, err = parseSamples(stream); err != nil {
			return "", err
		}
		// As a person would: with plain apply, which writes what it applied into an annotation. The API server learns
		// of new webhooks with a short delay, and until then the CRDs themselves refuse a value.
		err = supervise.Eventually(ctx, 20*time.Second, func(ctx context.Context) error {
			_, err := t.kubectl().Run(ctx, "", "apply", "-k", t.config("samples"))
			return err
		})
		return fmt.Sprintf("applied from %s (%d objects)", t.relative(t.config("samples")), len(t.samples)), err
	})
}

func (t *tour) awaitReady(ctx context.Context) error {
	return supervise.Step(ctx, "secrets", func(ctx context.Context) (string, error) {
		count := 0
		for _, o := range t.samples {
			if !o.isSecret() {
				continue
			}
			count++
			if _, err := t.kubectl().Run(ctx, "", "wait", "--for=condition=Ready", "--timeout=60s", "--namespace", o.Metadata.Namespace,
				strings.ToLower(o.Kind)+"/"+o.Metadata.Name); err != nil {
				return "", fmt.Errorf("%s is not Ready: %w", o, err)
			}
		}
		return fmt.Sprintf("Ready (%d)", count), nil
	})
}

func (t *tour) showObjects(ctx context.Context) error {
	return t.show(ctx, "get", "latchkey", "--all-namespaces")
}

// showSecrets lists what pods would see, by name. The template keeps the values inside kubectl.
func (t *tour) showSecrets(ctx context.Context) error {
	linef("\nThe native Secrets that pods get, and the names of their keys:\n")
	shown := map[string]bool{}
	for _, s := range t.samples {
		if !s.isSecret() || shown[s.Metadata.Namespace] {
			continue
		}
		shown[s.Metadata.Namespace] = true
		for _, key := range s.homes() {
			name := filepath.Base(key)
			out, err := t.kubectl().Run(ctx, "", "get", "secret", name, "--namespace", s.Metadata.Namespace,
				"--ignore-not-found", "--output", `go-template={{range $key, $value := .data}} {{$key}}{{end}}`)
			if err != nil {
				return err
			}
			if out != "" {
				linef("  %s/%s:%s", s.Metadata.Namespace, name, out)
			}
		}
	}
	linef("")
	return nil
}

// show prints a command as one would type it, and its output.
func (t *tour) show(ctx context.Context, args ...string) error {
	out, err := t.kubectl().Run(ctx, "", args...)
	if err != nil {
		return err
	}
	linef("\n$ kubectl %s\n%s", strings.Join(args, " "), strings.TrimRight(out, "\n"))
	return nil
}

func (t *tour) showWayOn(context.Context) error {
	namespace, name := "default", "NAME"
	for _, s := range t.samples {
		if s.Kind == "UserSecret" {
			namespace, name = s.Metadata.Namespace, s.Metadata.Name
			break
		}
	}
	linef(`
The stack stays up. Go on with the plugin, which is "kubectl latchkey" where its folder is in PATH:

  source %[1]s
  bin/kubectl-latchkey list -A
  bin/kubectl-latchkey -n %[2]s describe %[3]s
  bin/kubectl-latchkey -n %[2]s set my-token --env MY_TOKEN --wait      # asks for the value, and seals it here
  bin/kubectl-latchkey -n %[2]s doctor
  $KUBECTL -n %[2]s run shell --image=busybox --dry-run=server -o yaml      # what a pod gets
  curl --cacert $LATCHKEY_CA -H "Authorization: Bearer $LATCHKEY_TOKEN" $LATCHKEY_URL/api/v2/users/me/secrets
  make down`, t.relative(t.path("env")), namespace, name)
	return nil
}
