// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// overlay is a kustomization over Latchkey's manifests for a cluster without a Service network.
type overlay struct {
	kustomization []byte
	objects       int      // how many the base has
	webhooks      []string // kubectl names of the webhook configurations
	definitions   []string // kubectl names of the CustomResourceDefinitions
}

// manifest is the little that the overlay has to know of an object.
type manifest struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string `yaml:"kind"`
	Metadata   struct {
		Name      string `yaml:"name"`
		Namespace string `yaml:"namespace"`
	} `yaml:"metadata"`
	Webhooks []struct {
		ClientConfig struct {
			Service *serviceReference `yaml:"service"`
		} `yaml:"clientConfig"`
	} `yaml:"webhooks"`
	Spec struct {
		Service *serviceReference `yaml:"service"` // of an APIService
	} `yaml:"spec"`
}

type serviceReference struct {
	Namespace string `yaml:"namespace"`
	Name      string `yaml:"name"`
}

// operation is one of a JSON patch (RFC 6902).
type operation struct {
	Op    string `yaml:"op"`
	Path  string `yaml:"path"`
	Value any    `yaml:"value"`
}

type patchTarget struct {
	Group     string `yaml:"group,omitempty"`
	Version   string `yaml:"version"`
	Kind      string `yaml:"kind"`
	Name      string `yaml:"name"`
	Namespace string `yaml:"namespace,omitempty"`
}

type patch struct {
	Target patchTarget `yaml:"target"`
	Patch  string      `yaml:"patch"`
}

// newOverlay reads the rendered base and points its Services at local ports: a Service becomes ExternalName
// "localhost", and whatever names it gets the port too, since an ExternalName has none to translate.
func newOverlay(base []byte, basePath string, ports map[string]int) (overlay, error) {
	manifests, err := parseManifests(base)
	if err != nil {
		return overlay{}, err
	}
	result := overlay{objects: len(manifests)}
	var patches []patch
	for _, m := range manifests {
		resource := strings.ToLower(m.Kind) + "/" + m.Metadata.Name
		switch m.Kind {
		case "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration":
			result.webhooks = append(result.webhooks, resource)
		case "CustomResourceDefinition":
			result.definitions = append(result.definitions, resource)
		case "Deployment":
			// The stack runs the processes itself.
			patches = append(patches, patch{Target: m.target(), Patch: m.deletion()})
			continue
		}
		operations := m.localOperations(ports)
		if len(operations) == 0 {
			continue
		}
		text, err := yaml.Marshal(operations)
		if err != nil {
			return overlay{}, err
		}
		patches = append(patches, patch{Target: m.target(), Patch: string(text)})
	}
	result.kustomization, err = yaml.Marshal(map[string]any{
		"apiVersion": "kustomize.config.k8s.io/v1beta1",
		"kind":       "Kustomization",
		"resources":  []string{basePath},
		"patches":    patches,
	})
	return result, err
}

func parseManifests(stream []byte) ([]manifest, error) {
	var manifests []manifest
	decoder := yaml.NewDecoder(bytes.NewReader(stream))
	for {
		var m manifest
		err := decoder.Decode(&m)
		if errors.Is(err, io.EOF) {
			return manifests, nil
		}
		if err != nil {
			return nil, err
		}
		if m.Kind != "" { // an empty document
			manifests = append(manifests, m)
		}
	}
}

func (m manifest) target() patchTarget {
	group, version, grouped := strings.Cut(m.APIVersion, "/")
	if !grouped {
		group, version = "", m.APIVersion
	}
	return patchTarget{Group: group, Version: version, Kind: m.Kind, Name: m.Metadata.Name, Namespace: m.Metadata.Namespace}
}

// deletion is the patch that takes an object out of the base.
func (m manifest) deletion() string {
	return fmt.Sprintf("$patch: delete\napiVersion: %s\nkind: %s\nmetadata:\n  name: %s\n", m.APIVersion, m.Kind, m.Metadata.Name)
}

// localOperations lists what has to change in one object; nothing for most.
func (m manifest) localOperations(ports map[string]int) []operation {
	port := func(service *serviceReference) int {
		if service == nil || service.Namespace != systemNamespace {
			return 0
		}
		return ports[service.Name]
	}
	var operations []operation
	switch m.Kind {
	case "Service":
		if number := port(&serviceReference{Namespace: m.Metadata.Namespace, Name: m.Metadata.Name}); number != 0 {
			operations = append(operations, operation{"replace", "/spec", map[string]any{
				"type":         "ExternalName",
				"externalName": "localhost",
				"ports":        []any{map[string]any{"name": "https", "port": number, "protocol": "TCP"}},
			}})
		}
	case "APIService":
		if number := port(m.Spec.Service); number != 0 {
			operations = append(operations, operation{"add", "/spec/service/port", number})
		}
	case "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration":
		for i, webhook := range m.Webhooks {
			if number := port(webhook.ClientConfig.Service); number != 0 {
				path := fmt.Sprintf("/webhooks/%d/clientConfig/service/port", i)
				operations = append(operations, operation{"add", path, number})
			}
		}
	}
	return operations
}
