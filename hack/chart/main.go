// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Command chart writes what follows from config/: the CRDs, alerts and dashboard of the
// Helm chart, the table of alerts in docs/monitor.md, and all rights in docs/rbac.md. It
// also writes the table of docs/chart-values.md, from values.yaml. Its tests hold the
// chart to config/. It reads the source tree and runs kubectl kustomize.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"

	"sigs.k8s.io/yaml"
)

func main() {
	root := flag.String("root", ".", "folder of the source tree")
	kubectl := flag.String("kubectl", "kubectl", "kubectl to render kustomizations with")
	flag.Parse()
	files, err := generate(context.Background(), *root, *kubectl)
	for name, content := range files {
		err = errors.Join(err, os.WriteFile(filepath.Join(*root, name), content, 0o644))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "chart:", err)
		os.Exit(1)
	}
}

// generate returns the files to write, by their paths below root.
func generate(ctx context.Context, root, kubectl string) (map[string][]byte, error) {
	files := map[string][]byte{}
	for from, to := range map[string]string{
		"config/monitoring/prometheus_rule.yaml": "charts/latchkey/files/alerts.yaml",
		"config/monitoring/dashboard.json":       "charts/latchkey/files/dashboard.json",
	} {
		content, err := os.ReadFile(filepath.Join(root, from))
		if err != nil {
			return nil, err
		}
		files[to] = content
	}
	crds, err := kustomize(ctx, root, kubectl, "crd")
	if err != nil {
		return nil, err
	}
	for _, crd := range crds {
		var object struct {
			Metadata struct{ Name string }
		}
		if err := yaml.Unmarshal(crd, &object); err != nil || object.Metadata.Name == "" {
			return nil, fmt.Errorf("config/crd holds what has no name: %w", err)
		}
		files["charts/latchkey/files/crds/"+object.Metadata.Name+".yaml"] = crd
	}
	values, err := valuesTable(filepath.Join(root, "charts", "latchkey", "values.yaml"))
	if err != nil {
		return nil, err
	}
	alerts, err := alertsTable(files["charts/latchkey/files/alerts.yaml"])
	if err != nil {
		return nil, err
	}
	rights, err := readRights(filepath.Join(root, "config", "rbac"))
	if err != nil {
		return nil, err
	}
	for page, table := range map[string][]byte{
		"docs/chart-values.md": values, "docs/monitor.md": alerts, "docs/rbac.md": rightsTables(rights),
	} {
		if files[page], err = withTable(root, page, table); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// separator stands between the documents of a YAML stream.
var separator = regexp.MustCompile(`(?m)^---\s*$`)

// kustomize renders a folder of config/.
func kustomize(ctx context.Context, root, kubectl, name string) ([][]byte, error) {
	cmd := exec.CommandContext(ctx, kubectl, "kustomize", filepath.Join(root, "config", name))
	var problem bytes.Buffer
	cmd.Stderr = &problem
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("kustomize config/%s: %w: %s", name, err, problem.String())
	}
	return documents(out), nil
}

// documents splits a YAML stream.
func documents(stream []byte) [][]byte {
	var out [][]byte
	for _, text := range separator.Split(string(stream), -1) {
		if document := bytes.TrimSpace([]byte(text)); len(document) > 0 {
			out = append(out, append(document, '\n'))
		}
	}
	return out
}

// The lines of a page between which its table is.
const (
	begin = "<!-- written by make generate -->\n"
	end   = "<!-- end of what is written -->\n"
)

// withTable returns a page with its table replaced.
func withTable(root, name string, table []byte) ([]byte, error) {
	page, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		return nil, err
	}
	before, rest, found := bytes.Cut(page, []byte(begin))
	_, after, found2 := bytes.Cut(rest, []byte(end))
	if !found || !found2 {
		return nil, fmt.Errorf("%s does not have the lines %q and %q", name, begin, end)
	}
	return bytes.Join([][]byte{before, []byte(begin), table, []byte(end), after}, nil), nil
}
