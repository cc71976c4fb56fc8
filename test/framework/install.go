// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package framework

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"go.yaml.in/yaml/v3"
)

// install applies config/local as an administrator would and gives both service
// accounts a kubeconfig.
func (c *Cluster) install(ctx context.Context) error {
	rendered, err := c.Kubectl.Run(ctx, "", "kustomize", filepath.Join(c.Root, "config", "local"))
	if err != nil {
		return err
	}
	if c.manifests, err = localise(rendered, c.webhookPort); err != nil {
		return fmt.Errorf("config/local: %w", err)
	}
	if err := c.applyManifests(ctx); err != nil {
		return err
	}
	if _, err := c.Kubectl.Run(ctx, "", "wait", "--for=condition=Established", "--timeout=30s", "crd", "--all"); err != nil {
		return err
	}
	for _, command := range []string{"controller", "server"} {
		if err := c.writeKubeconfig(ctx, command); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) applyManifests(ctx context.Context) error {
	_, err := c.Kubectl.Run(ctx, c.manifests, "apply", "--server-side", "--field-manager=administrator", "-f", "-")
	return err
}

// localise points the webhook Service at this machine: there is no Service network.
// An ExternalName translates no ports, so the webhooks name the port themselves.
func localise(manifests string, port int) (string, error) {
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	decoder := yaml.NewDecoder(bytes.NewReader([]byte(manifests)))
	for {
		var object map[string]any
		err := decoder.Decode(&object)
		if errors.Is(err, io.EOF) {
			return out.String(), encoder.Close()
		}
		if err != nil {
			return "", err
		}
		switch object["kind"] {
		case "Service":
			object["spec"] = map[string]any{
				"type":         "ExternalName",
				"externalName": "localhost",
				"ports":        []any{map[string]any{"name": "https", "port": port}},
			}
		case "MutatingWebhookConfiguration":
			if err := setWebhookPorts(object, port); err != nil {
				return "", err
			}
		}
		if err := encoder.Encode(object); err != nil {
			return "", err
		}
	}
}

func setWebhookPorts(object map[string]any, port int) error {
	webhooks, _ := object["webhooks"].([]any)
	if len(webhooks) == 0 {
		return errors.New("no webhooks in the configuration")
	}
	for _, w := range webhooks {
		webhook, _ := w.(map[string]any)
		clientConfig, _ := webhook["clientConfig"].(map[string]any)
		service, _ := clientConfig["service"].(map[string]any)
		if service == nil {
			return errors.New("a webhook without a service")
		}
		service["port"] = port
	}
	return nil
}
