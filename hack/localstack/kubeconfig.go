// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"

	"sigs.k8s.io/yaml"
)

// credential is how a kubeconfig authenticates: a client certificate or a token.
type credential struct {
	Certificate []byte `json:"client-certificate-data,omitempty"`
	Key         []byte `json:"client-key-data,omitempty"`
	Token       string `json:"token,omitempty"`
}

// kubeconfig renders a file that needs no other file beside it.
func kubeconfig(server string, ca []byte, user credential) ([]byte, error) {
	const name = "latchkey-localstack"
	return yaml.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Config", "current-context": name,
		"clusters": []any{map[string]any{"name": name, "cluster": map[string]any{
			"server": server, "certificate-authority-data": ca,
		}}},
		"users":    []any{map[string]any{"name": name, "user": user}},
		"contexts": []any{map[string]any{"name": name, "context": map[string]any{"cluster": name, "user": name}}},
	})
}

func (s *stack) writeAdminKubeconfig() error {
	content := map[string][]byte{}
	for _, name := range []string{"admin.crt", "admin.key"} {
		var err error
		if content[name], err = os.ReadFile(s.pki(name)); err != nil {
			return err
		}
	}
	return s.writeKubeconfig(s.adminKubeconfig(), credential{Certificate: content["admin.crt"], Key: content["admin.key"]})
}

func (s *stack) writeKubeconfig(path string, user credential) error {
	ca, err := os.ReadFile(s.pki("ca.crt"))
	if err != nil {
		return err
	}
	content, err := kubeconfig(s.apiserverURL(), ca, user)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return writeFile(path, content)
}
