// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// run calls kubectl and returns what it prints.
func run(ctx context.Context, args ...string) string {
	GinkgoHelper()
	out, err := cluster.Kubectl.Run(ctx, "", args...)
	Expect(err).NotTo(HaveOccurred())
	return out
}

// apply applies a manifest, with flags.
func apply(ctx context.Context, manifest string, flags ...string) {
	GinkgoHelper()
	Expect(tryApply(ctx, manifest, flags...)).To(Succeed())
}

func tryApply(ctx context.Context, manifest string, flags ...string) error {
	_, err := cluster.Kubectl.Run(ctx, manifest, append([]string{"apply", "-f", "-"}, flags...)...)
	return err
}

// columns splits a table.
func columns(table string) [][]string {
	var rows [][]string
	for line := range strings.Lines(table) {
		rows = append(rows, strings.Fields(line))
	}
	return rows
}

// userManifest is a UserSecret as a person would write it. Spec is YAML.
func userManifest(namespace, name, spec string) string {
	return manifest("UserSecret", namespace, name, spec)
}

// agentManifest is an AgentSecret as a person would write it. Spec is YAML.
func agentManifest(namespace, name, spec string) string {
	return manifest("AgentSecret", namespace, name, spec)
}

func manifest(kind, namespace, name, spec string) string {
	indented := strings.ReplaceAll(strings.TrimSpace(spec), "\n", "\n  ")
	return strings.Join([]string{
		"apiVersion: latchkey.dev/v1alpha1", "kind: " + kind,
		"metadata:", "  namespace: " + namespace, "  name: " + name,
		"spec:", "  " + indented, "---", "",
	}, "\n")
}

// versions returns the resourceVersions of all secret objects and native Secrets of
// namespaces.
func versions(ctx context.Context, namespaces ...string) map[string]string {
	GinkgoHelper()
	found := map[string]string{}
	for _, namespace := range namespaces {
		for _, object := range objectsOf(ctx, namespace) {
			found[namespace+"/"+object.GetName()] = object.GetResourceVersion()
		}
	}
	return found
}
