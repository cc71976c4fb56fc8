// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/test/framework"
)

// minNeedle is the shortest value that is worth looking for: shorter ones are found anywhere by chance.
const minNeedle = 8

// sample is an object of config/samples, with what the quickstart has to know of it.
type sample struct {
	Kind     string
	Metadata struct{ Name, Namespace string }
	Spec     struct{ Value any }
	// StringData is that of a native Secret.
	StringData map[string]string `yaml:"stringData"`
}

func parseSamples(stream string) ([]sample, error) {
	var samples []sample
	decoder := yaml.NewDecoder(strings.NewReader(stream))
	for {
		var s sample
		switch err := decoder.Decode(&s); {
		case errors.Is(err, io.EOF):
			return samples, nil
		case err != nil:
			return nil, fmt.Errorf("samples: %w", err)
		}
		samples = append(samples, s)
	}
}

// isSecret reports whether Latchkey reconciles the object.
func (s sample) isSecret() bool { return s.Kind == "UserSecret" || s.Kind == "AgentSecret" }

func (s sample) String() string { return s.Kind + " " + s.Metadata.Namespace + "/" + s.Metadata.Name }

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

// textsIn collects the texts of a value. Numbers and truth values are found anywhere by chance.
func textsIn(value any) []string {
	var texts []string
	switch v := value.(type) {
	case string:
		texts = append(texts, v)
	case []any:
		for _, element := range v {
			texts = append(texts, textsIn(element)...)
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			texts = append(texts, textsIn(v[name])...)
		}
	}
	return texts
}

// needle is a text that nobody else may see, in any of the forms in which it may be stored.
type needle struct {
	owner string // the object that holds it: "UserSecret alice/github-token"
	forms [][]byte
	homes []string // where it may lie
	// At home and elsewhere it was found.
	found, leaked map[string]bool
}

func needlesOf(samples []sample) ([]*needle, error) {
	var needles []*needle
	for _, s := range samples {
		texts := textsIn(s.Spec.Value)
		for _, name := range slices.Sorted(maps.Keys(s.StringData)) {
			texts = append(texts, s.StringData[name])
		}
		for _, text := range texts {
			if len(text) < minNeedle {
				return nil, fmt.Errorf("a value of %s is too short to look for: %d characters, please", s, minNeedle)
			}
			needles = append(needles, &needle{
				owner: s.String(), forms: framework.CanaryForms(text), homes: s.homes(), found: map[string]bool{}, leaked: map[string]bool{},
			})
		}
	}
	return needles, nil
}

// look looks for the needle in one place.
func (n *needle) look(place string, content []byte) {
	if !slices.ContainsFunc(n.forms, func(form []byte) bool { return bytes.Contains(content, form) }) {
		return
	}
	if slices.Contains(n.homes, place) {
		n.found[place] = true
	} else {
		n.leaked[place] = true
	}
}

// verdict says for each value where it was found. It fails if a value lies where it must not; and if none was found
// at all, since then the search has shown nothing.
func verdict(needles []*needle) ([]string, error) {
	var lines, leaks []string
	for _, n := range needles {
		found := strings.Join(slices.Sorted(maps.Keys(n.found)), ", ")
		switch {
		case len(n.leaked) > 0:
			leaks = append(leaks, fmt.Sprintf("the value of %s lies in %s", n.owner, strings.Join(slices.Sorted(maps.Keys(n.leaked)), ", ")))
		case found == "":
			lines = append(lines, fmt.Sprintf("the value of %s appears nowhere", n.owner))
		case len(n.found) == 1:
			lines = append(lines, fmt.Sprintf("the value of %s appears in 1 native Secret, %s and nowhere else", n.owner, found))
		default:
			lines = append(lines, fmt.Sprintf("the value of %s appears in %d native Secrets, %s and nowhere else", n.owner, len(n.found), found))
		}
	}
	switch {
	case len(leaks) > 0:
		return lines, errors.New("plaintext: " + strings.Join(leaks, "; "))
	case !slices.ContainsFunc(needles, func(n *needle) bool { return len(n.found) > 0 }):
		return lines, errors.New("the search shows nothing: no value was found, not even in a native Secret")
	}
	return lines, nil
}

// search looks for the samples' values in all that etcd holds, and in the logs of all processes and the audit log: they
// may be in native Secrets and nowhere else.
func (t *tour) search(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	needles, err := needlesOf(t.samples)
	if err != nil {
		return err
	}
	look := func(place string, content []byte) {
		for _, n := range needles {
			n.look(place, content)
		}
	}
	keys, values := map[string]bool{}, 0
	// What was overwritten or deleted lies in etcd's files for some more minutes, so that is looked at too.
	if err := framework.EtcdAt(t.plane.EtcdURL).Visit(ctx, 0, func(e framework.Entry) {
		keys[string(e.Key)] = true
		values++
		look(string(e.Key), slices.Concat(e.Key, []byte("\n"), e.Value))
	}); err != nil {
		return err
	}
	paths, err := filepath.Glob(t.path("log", "*"))
	if err != nil {
		return err
	}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		look(t.relative(path), content)
	}
	lines, err := verdict(needles)
	linef("etcd: %d keys searched, with all the %d values that it still remembers", len(keys), values)
	for _, line := range lines {
		linef("  %s", line)
	}
	if err == nil {
		linef("logs: %d files searched, the audit log among them; no value appears in any", len(paths))
	}
	return err
}
