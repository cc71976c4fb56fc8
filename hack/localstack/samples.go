// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
)

// sample is an object of config/samples, with what the quickstart has to know of it.
type sample struct {
	Kind     string `yaml:"kind"`
	Metadata struct {
		Name      string `yaml:"name"`
		Namespace string `yaml:"namespace"`
	} `yaml:"metadata"`
	Spec struct {
		Value any `yaml:"value"`
	} `yaml:"spec"`
	StringData map[string]string `yaml:"stringData"` // of a native Secret
	Data       map[string]string `yaml:"data"`
}

func parseSamples(stream []byte) ([]sample, error) {
	var samples []sample
	decoder := yaml.NewDecoder(bytes.NewReader(stream))
	for {
		var s sample
		err := decoder.Decode(&s)
		if errors.Is(err, io.EOF) {
			return samples, nil
		}
		if err != nil {
			return nil, fmt.Errorf("samples: %w", err)
		}
		if s.Kind != "" {
			samples = append(samples, s)
		}
	}
}

// isSecret says whether Latchkey reconciles the object.
func (s sample) isSecret() bool { return s.Kind == "UserSecret" || s.Kind == "AgentSecret" }

func (s sample) String() string { return s.Kind + " " + s.Metadata.Namespace + "/" + s.Metadata.Name }

// needlesOf collects the values of the samples. It also returns the objects that have one too short to look for.
func needlesOf(samples []sample) (needles []needle, tooShort []string) {
	for _, s := range samples {
		for _, value := range s.values() {
			if len(value) < minNeedle {
				if !slices.Contains(tooShort, s.String()) {
					tooShort = append(tooShort, s.String())
				}
				continue
			}
			i := slices.IndexFunc(needles, func(n needle) bool { return n.value == value })
			if i < 0 {
				needles = append(needles, needle{value: value})
				i = len(needles) - 1
			}
			if !slices.Contains(needles[i].owners, s.String()) {
				needles[i].owners = append(needles[i].owners, s.String())
			}
			needles[i].homes = append(needles[i].homes, s.homes()...)
		}
	}
	return needles, tooShort
}

// values lists the texts in an object that nobody else may see.
func (s sample) values() []string {
	switch {
	case s.isSecret():
		return textsIn(s.Spec.Value)
	case s.Kind == "Secret":
		var values []string
		for _, text := range s.StringData {
			values = append(values, text)
		}
		for _, text := range s.Data {
			if raw, err := base64.StdEncoding.DecodeString(text); err == nil {
				values = append(values, string(raw))
			}
		}
		slices.Sort(values)
		return values
	default:
		return nil
	}
}

// homes lists the keys in etcd where the values may be: the tenant's bundles, and the sample itself if it is a native
// Secret.
func (s sample) homes() []string {
	names := []string{
		v1alpha1.BundleUserEnv, v1alpha1.BundleUserFiles, v1alpha1.BundleAgentEnv, v1alpha1.BundleAgentFiles,
	}
	if s.Kind == "Secret" {
		names = append(names, s.Metadata.Name)
	}
	for i, name := range names {
		names[i] = "/registry/secrets/" + s.Metadata.Namespace + "/" + name
	}
	return names
}

// textsIn collects the strings of a value, those inside of JSON text too. Numbers and truth values are found anywhere
// by chance.
func textsIn(value any) []string {
	var texts []string
	switch v := value.(type) {
	case string:
		texts = append(texts, v)
		var inner any
		if text := strings.TrimSpace(v); strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[") {
			if json.Unmarshal([]byte(text), &inner) == nil {
				texts = append(texts, textsIn(inner)...)
			}
		}
	case []any:
		for _, element := range v {
			texts = append(texts, textsIn(element)...)
		}
	case map[string]any:
		for _, element := range v {
			texts = append(texts, textsIn(element)...)
		}
	}
	slices.Sort(texts)
	return slices.Compact(texts)
}
