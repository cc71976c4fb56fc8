// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	certutil "k8s.io/client-go/util/cert"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// cluster is an API server: nothing runs on it, and nobody waits for pods.
type cluster struct {
	client.Client
	kubeconfig string
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Setenv("KUBEBUILDER_ASSETS", filepath.Dir(kubectlPath(t)))
	}
	env := &envtest.Environment{}
	cfg, err := env.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := env.Stop(); err != nil {
			t.Error(err)
		}
	})
	admin, err := env.AddUser(envtest.User{Name: "admin", Groups: []string{"system:masters"}}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	content, err := admin.KubeConfig()
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{kubeconfig: filepath.Join(t.TempDir(), "kubeconfig")}
	if err := os.WriteFile(c.kubeconfig, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if c.Client, err = client.New(cfg, client.Options{}); err != nil {
		t.Fatal(err)
	}
	for _, ns := range []string{namespace, "alice", "shop-prod"} {
		// Latchkey's own namespace is as strict as config/ makes it, and the others with it.
		labels := map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}
		if err := c.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns, Labels: labels}}); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// run runs Helm against the cluster.
func (c *cluster) run(t *testing.T, args ...string) {
	t.Helper()
	if _, problem, err := helm(t, append(args, "--kubeconfig", c.kubeconfig, "--namespace", namespace)...); err != nil {
		t.Fatalf("helm %s: %s", strings.Join(args, " "), problem)
	}
}

// dryRun lets the API server look at manifests without taking them.
func (c *cluster) dryRun(t *testing.T, manifests string) {
	t.Helper()
	out, err := kubectlWith(t, c.kubeconfig, manifests, "apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", "-")
	if err != nil || strings.Contains(out, "Warning") {
		t.Errorf("kubectl apply: %v\n%s", err, out)
	}
}

// find returns an object of the cluster, or nil.
func (c *cluster) find(t *testing.T, like *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	o := &unstructured.Unstructured{}
	o.SetGroupVersionKind(like.GroupVersionKind())
	switch err := c.Get(t.Context(), client.ObjectKeyFromObject(like), o); {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		t.Fatalf("%s: %v", keyOf(like), err)
	}
	return o
}

// TestALifeOfARelease installs, upgrades and uninstalls the chart on a real API
// server, and installs it again. What runs in pods is left to the end-to-end tests.
func TestALifeOfARelease(t *testing.T) {
	c := newCluster(t)
	all := rendered(t, "")
	installed := func(when string) {
		t.Helper()
		for key, o := range all {
			hook, there := o.GetAnnotations()["helm.sh/hook"] != "", c.find(t, o) != nil
			if there == hook {
				t.Errorf("%s, %s is there: %t", when, key, there)
			}
		}
	}
	c.run(t, "install", "latchkey", chartPath)
	installed("after install")
	c.podsAreAdmitted(t, all)

	trust(t, c, all)
	c.run(t, "upgrade", "latchkey", changed(t))
	installed("after upgrade")
	crd := c.find(t, all.get(t, "CustomResourceDefinition /usersecrets.latchkey.dev"))
	if field(crd, "spec", "names", "categories", 1) != "changed" {
		t.Errorf("the CRD was not upgraded: %v", field(crd, "spec", "names"))
	}
	kept := func(when string) {
		t.Helper()
		if field(c.find(t, all.get(t, "APIService /v1.golem.latchkey.dev")), "spec", "caBundle") == nil {
			t.Errorf("%s took the CA out of an APIService", when)
		}
		config := c.find(t, all.get(t, "MutatingWebhookConfiguration /latchkey"))
		webhooks, _ := field(config, "webhooks").([]any)
		for i := range webhooks {
			if field(config, "webhooks", i, "clientConfig", "caBundle") == nil || field(config, "webhooks", i, "clientConfig", "service", "path") != secretPath {
				t.Errorf("%s took the CA or the path out of webhook %d", when, i)
			}
		}
	}
	kept("the upgrade")
	c.run(t, "upgrade", "latchkey", changed(t), "--server-side=false", "--set", "webhooks.timeoutSeconds=6")
	kept("an upgrade by three-way merge")

	for _, round := range []string{"after uninstall", "after another uninstall"} {
		c.run(t, "uninstall", "latchkey", "--no-hooks") // there is no kubelet to run the Job
		for key, o := range all {
			if there := c.find(t, o) != nil; there != (o.GetKind() == "CustomResourceDefinition") {
				t.Errorf("%s, %s is there: %t", round, key, there)
			}
		}
		secret := userSecret()
		if err := c.Create(t.Context(), secret); err != nil && !apierrors.IsAlreadyExists(err) {
			t.Fatal(err)
		}
		c.run(t, "install", "latchkey", chartPath)
		installed(round + " and install")
		if c.find(t, secret) == nil {
			t.Errorf("%s, objects are gone", round)
		}
	}
}

// userSecret returns an object with no value, which every CRD takes.
func userSecret() *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"envName": "TOKEN", "valueFrom": map[string]any{
		"secretKeyRef": map[string]any{"name": "a", "key": "b"},
	}}}}
	o.SetGroupVersionKind(schema.GroupVersionKind{Group: "latchkey.dev", Version: "v1alpha1", Kind: "UserSecret"})
	o.SetNamespace("alice")
	o.SetName("token")
	return o
}

// secretPath is what the controller writes beside its CA.
const secretPath = "/abcdefghijklmnopqrstuvwxyz/hook"

// trust does what the controller does: it puts its CA where the API server looks, and
// the admission path.
func trust(t *testing.T, c *cluster, all objects) {
	t.Helper()
	pem, _, err := certutil.GenerateSelfSignedCertKey("latchkey-server", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	bundle := base64.StdEncoding.EncodeToString(pem)
	for _, key := range []string{"MutatingWebhookConfiguration /latchkey", "APIService /v1.golem.latchkey.dev"} {
		o := c.find(t, all.get(t, key))
		if webhooks, is := field(o, "webhooks").([]any); is {
			for i := range webhooks {
				config, _ := field(o, "webhooks", i, "clientConfig").(map[string]any)
				config["caBundle"] = bundle
				service, _ := config["service"].(map[string]any)
				service["path"] = secretPath
			}
		} else {
			spec, _ := field(o, "spec").(map[string]any)
			spec["caBundle"] = bundle
		}
		if err := c.Update(t.Context(), o, client.FieldOwner("latchkey")); err != nil {
			t.Fatal(err)
		}
	}
}

// changed returns a copy of the chart of a later version, with another CRD.
func changed(t *testing.T) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "latchkey")
	if err := os.CopyFS(folder, os.DirFS(chartPath)); err != nil {
		t.Fatal(err)
	}
	for file, change := range map[string][2]string{
		"files/crds/usersecrets.latchkey.dev.yaml": {"    categories:\n    - latchkey\n", "    categories:\n    - latchkey\n    - changed\n"},
		"Chart.yaml": {"version: 0.", "version: 9."},
	} {
		content, err := os.ReadFile(filepath.Join(folder, file))
		if err != nil {
			t.Fatal(err)
		}
		next := strings.Replace(string(content), change[0], change[1], 1)
		if next == string(content) {
			t.Fatalf("%s has nothing like %q", file, change[0])
		}
		if err := os.WriteFile(filepath.Join(folder, file), []byte(next), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// podsAreAdmitted makes a pod of every template, since only pods are held to the
// namespace's Pod Security, and only they need the priority class to be there.
func (c *cluster) podsAreAdmitted(t *testing.T, all objects) {
	t.Helper()
	for key, o := range all {
		template, is := field(o, "spec", "template").(map[string]any)
		if !is || o.GetAnnotations()["helm.sh/hook"] != "" {
			continue
		}
		pod := &unstructured.Unstructured{Object: map[string]any{"metadata": template["metadata"], "spec": template["spec"]}}
		pod = pod.DeepCopy()
		pod.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Pod"))
		pod.SetNamespace(namespace)
		pod.SetName("admitted")
		if err := c.Create(context.WithoutCancel(t.Context()), pod, client.DryRunAll); err != nil {
			t.Errorf("a pod of %s is refused: %v", key, err)
		}
	}
}

// others are the CRDs of kinds that the chart makes and others own, by their modules,
// which hack/tools/crds pins.
var others = map[string][]string{
	"github.com/cert-manager/cert-manager": {"deploy/crds/cert-manager.io_certificates.yaml", "deploy/crds/cert-manager.io_issuers.yaml"},
	"github.com/prometheus-operator/prometheus-operator": {
		"example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
		"example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
	},
	"sigs.k8s.io/gateway-api": {
		"config/crd/standard/gateway.networking.k8s.io_backendtlspolicies.yaml",
		"config/crd/standard/gateway.networking.k8s.io_httproutes.yaml",
	},
}

// installOthers makes the kinds known that others own.
func (c *cluster) installOthers(t *testing.T) {
	t.Helper()
	create := []string{"create"}
	for module, files := range others {
		download := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", module)
		download.Dir = root + "/hack/tools/crds"
		out, err := download.Output()
		var at struct{ Dir, Error string }
		if err := errors.Join(err, json.Unmarshal(out, &at)); err != nil || at.Error != "" {
			t.Fatalf("go mod download %s: %v %s", module, err, at.Error)
		}
		for _, file := range files {
			create = append(create, "-f", filepath.Join(at.Dir, file))
		}
	}
	for _, args := range [][]string{create, {"wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"}} {
		if out, err := kubectlWith(t, c.kubeconfig, "", args...); err != nil {
			t.Fatalf("kubectl %v: %v\n%s", args, err, out)
		}
	}
}

// TestTheAPIServerTakesAllManifests applies what can be rendered, for show.
func TestTheAPIServerTakesAllManifests(t *testing.T) {
	c := newCluster(t)
	c.installOthers(t)
	for name, values := range map[string]string{"by default": "", "with everything": everything} {
		t.Run(name, func(t *testing.T) {
			var manifests strings.Builder
			// A namespace that enforces "restricted" has no pods on the node's network.
			for _, o := range rendered(t, values, "--set", "server.hostNetwork=false") {
				content, err := o.MarshalJSON()
				if err != nil {
					t.Fatal(err)
				}
				manifests.WriteString("---\n" + string(content) + "\n")
			}
			c.dryRun(t, manifests.String())
		})
	}
	for _, folder := range []string{"default", "local", "manager", "monitoring", "rbac"} {
		t.Run("config/"+folder, func(t *testing.T) {
			manifests, err := kustomize(t.Context(), root, kubectlPath(t), folder)
			if err != nil {
				t.Fatal(err)
			}
			var all strings.Builder
			for _, m := range manifests {
				all.WriteString("---\n" + string(m))
			}
			c.dryRun(t, all.String())
		})
	}
}
