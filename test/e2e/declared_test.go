// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
)

// declaration is a secret of each kind that people declare again and again: one of
// kubectl by two managers, and one of a Helm release.
type declaration struct{ namespace, manifest, chart string }

func newDeclaration(namespace string) declaration {
	GinkgoHelper()
	d := declaration{namespace: namespace, manifest: declaredManifest(namespace, "kubectl"), chart: GinkgoT().TempDir()}
	Expect(os.MkdirAll(filepath.Join(d.chart, "templates"), 0o700)).To(Succeed())
	for name, text := range map[string]string{
		"Chart.yaml":             "apiVersion: v2\nname: declared\nversion: 1.0.0\n",
		"templates/secrets.yaml": declaredManifest(namespace, "helm"),
	} {
		Expect(os.WriteFile(filepath.Join(d.chart, name), []byte(text), 0o600)).To(Succeed())
	}
	return d
}

// declaredManifest has a value that admission seals, and a path that it rewrites.
func declaredManifest(namespace, name string) string {
	return fmt.Sprintf(`
apiVersion: latchkey.dev/v1alpha1
kind: UserSecret
metadata: {name: %[2]s, namespace: %[1]s}
spec: {filePath: ~/%[2]s, value: %[3]s%[2]s}
---
apiVersion: latchkey.dev/v1alpha1
kind: AgentSecret
metadata: {name: %[2]s, namespace: %[1]s}
spec: {path: [by_%[2]s, api_token], secretType: {type: Str}, value: %[3]s%[2]s}
`, namespace, name, canary)
}

// apply declares everything once more by server-side apply. Nobody forces anything.
func (d declaration) apply(ctx context.Context, when, verb string) {
	GinkgoHelper()
	for _, manager := range []string{"first", "second", "first"} {
		_, err := kubectl.Run(ctx, d.manifest, "apply", "--server-side", "--field-manager="+manager, "-f", "-")
		Expect(err).NotTo(HaveOccurred(), "%s, by %s", when, manager)
	}
	if ours != nil { // else there is no Helm
		ours.sh(ctx, fmt.Sprintf("helm %s declared %s --namespace %s --server-side=true", verb, d.chart, d.namespace))
	}
	for _, name := range []string{"kubectl", "helm"} {
		if name == "helm" && ours == nil {
			continue
		}
		awaitReady(ctx, &v1alpha1.UserSecret{ObjectMeta: metav1.ObjectMeta{Namespace: d.namespace, Name: name}})
		a := &v1alpha1.AgentSecret{}
		Expect(api.Get(ctx, client.ObjectKey{Namespace: d.namespace, Name: name}, a)).To(Succeed())
		Expect(a.Spec.Revision).To(BeZero(), "the same value is no change")
	}
}
