// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package pki

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/latchkey-dev/latchkey/hack/internal/supervise"
)

// Set is everything that a control plane needs, by file name.
type Set struct {
	Dir       string
	Authority string   // the file name of the certificate whose end is the end of the set
	Names     []string // of all files
	Make      func(now time.Time) (map[string][]byte, error)
}

// Ensure makes every file, all at once, unless the last set is whole and still good for a while. It says whether it
// made a new set.
func (s Set) Ensure(now time.Time) (bool, error) {
	if s.isGood(now) {
		return false, nil
	}
	files, err := s.Make(now)
	if err != nil {
		return false, err
	}
	// The file that is looked at comes last, so that an interrupted run is not taken for a whole one.
	names := slices.DeleteFunc(slices.Clone(s.Names), func(name string) bool { return name == s.Authority })
	for _, name := range append(names, s.Authority) {
		content, made := files[name]
		if !made {
			return false, fmt.Errorf("nothing made %s", name)
		}
		if err := supervise.WriteFile(filepath.Join(s.Dir, name), content); err != nil {
			return false, err
		}
	}
	return true, nil
}

func (s Set) isGood(now time.Time) bool {
	for _, name := range s.Names {
		if _, err := os.Stat(filepath.Join(s.Dir, name)); err != nil {
			return false
		}
	}
	content, err := os.ReadFile(filepath.Join(s.Dir, s.Authority))
	if err != nil {
		return false
	}
	block, _ := pem.Decode(content)
	if block == nil {
		return false
	}
	ca, err := x509.ParseCertificate(block.Bytes)
	return err == nil && now.Add(RenewBefore).Before(ca.NotAfter)
}

// Credential is how a kubeconfig authenticates: a client certificate or a token.
type Credential struct {
	Certificate []byte `json:"client-certificate-data,omitempty"`
	Key         []byte `json:"client-key-data,omitempty"`
	Token       string `json:"token,omitempty"`
}

// Kubeconfig renders a file that needs no other file beside it.
func Kubeconfig(name, server string, ca []byte, user Credential) ([]byte, error) {
	return yaml.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Config", "current-context": name,
		"clusters": []any{map[string]any{"name": name, "cluster": map[string]any{
			"server": server, "certificate-authority-data": ca,
		}}},
		"users":    []any{map[string]any{"name": name, "user": user}},
		"contexts": []any{map[string]any{"name": name, "context": map[string]any{"cluster": name, "user": name}}},
	})
}
