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

// administrator is the field manager that applies the manifests.
const administrator = "administrator"

// install applies config/local as an administrator would and gives both service
// accounts a kubeconfig.
func (c *Cluster) install(ctx context.Context) error {
	rendered, err := c.Kubectl.Run(ctx, "", "kustomize", filepath.Join(c.Root, "config", "local"))
	if err != nil {
		return err
	}
	if c.manifests, err = Localise(rendered, map[string]int{"latchkey-webhook": c.webhookPort, "latchkey-server": c.restPort}); err != nil {
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
	_, err := c.Kubectl.Run(ctx, c.manifests, "apply", "--server-side", "--field-manager="+administrator, "-f", "-")
	return err
}

// Localise points Latchkey's Services, and all references to them, at ports of this
// machine: there is no Service network, and an ExternalName translates no ports.
func Localise(manifests string, ports map[string]int) (string, error) {
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
		if object["kind"] == "Service" {
			name, _ := member(object, "metadata")["name"].(string)
			object["spec"] = map[string]any{
				"type":         "ExternalName",
				"externalName": "localhost",
				"ports":        []any{map[string]any{"name": "https", "port": ports[name]}},
			}
		}
		references := []map[string]any{member(member(object, "spec"), "service")} // of an APIService
		webhooks, _ := object["webhooks"].([]any)
		for _, w := range webhooks {
			webhook, _ := w.(map[string]any)
			references = append(references, member(member(webhook, "clientConfig"), "service"))
		}
		for _, reference := range references {
			if name, ok := reference["name"].(string); ok {
				reference["port"] = ports[name]
			}
		}
		if err := encoder.Encode(object); err != nil {
			return "", err
		}
	}
}

// member returns a member that is an object, or nil, which can be read like an empty one.
func member(object map[string]any, name string) map[string]any {
	m, _ := object[name].(map[string]any)
	return m
}
