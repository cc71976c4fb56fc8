// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// as returns a kubeconfig with the rights of a service account of the chart.
func (c *cluster) as(t *testing.T, account string) string {
	t.Helper()
	request := &authenticationv1.TokenRequest{}
	owner := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: account}}
	if err := c.SubResource("token").Create(t.Context(), owner, request); err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.LoadFromFile(c.kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	for name := range config.AuthInfos {
		config.AuthInfos[name] = &clientcmdapi.AuthInfo{Token: request.Status.Token}
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// output collects what a process writes, for a reader beside it.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// latchkey starts the program with an account's rights. It is told to end with the
// test, or by the function that is returned, and has to end well.
func (c *cluster) latchkey(t *testing.T, account string, args ...string) (log *output, wait func() error) {
	t.Helper()
	log = &output{}
	cmd := exec.CommandContext(t.Context(), tool(t, "LATCHKEY", "bin/latchkey"), append(args, "--kubeconfig", c.as(t, account))...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 30 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	wait = sync.OnceValue(cmd.Wait)
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = wait() // the test has ended, and so has its context: the program was told to
	})
	return log, wait
}

// eventually polls until a condition holds.
func eventually(t *testing.T, what string, log *output, holds func() bool) {
	t.Helper()
	deadline, tick := time.After(60*time.Second), time.NewTicker(100*time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s did not come about; the log:\n%s", what, log)
		}
	}
}

// TestTheRolesAreEnough runs the program with the rights that the chart gives it, and
// no others: the uninstall, then a controller for one tenant.
func TestTheRolesAreEnough(t *testing.T) {
	c := newCluster(t)
	values := []string{"--set", "tenantNamespaces={alice}", "--set", "certificates.certManager.enabled=false"}
	c.run(t, append([]string{"install", "latchkey", chartPath}, values...)...)
	all := rendered(t, "", values...)
	for key, o := range all {
		if strings.Contains(key, "latchkey-uninstall") && o.GetKind() != "Job" {
			if err := c.Create(t.Context(), o.DeepCopy()); err != nil {
				t.Fatalf("%s: %v", key, err)
			}
		}
	}

	log, wait := c.latchkey(t, "latchkey-uninstall", "uninstall")
	if err := wait(); err != nil {
		t.Fatalf("latchkey uninstall: %v\n%s", err, log)
	}
	for _, key := range []string{"APIService /v2.coder.latchkey.dev", "APIService /v1.golem.latchkey.dev", "MutatingWebhookConfiguration /latchkey"} {
		if c.find(t, all.get(t, key)) != nil {
			t.Errorf("latchkey uninstall left %s", key)
		}
	}

	// Without the webhook, objects are stored as they are.
	for _, ns := range []string{"alice", "shop-prod"} {
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "a"}, StringData: map[string]string{"b": "value"}}
		object := userSecret()
		object.SetNamespace(ns)
		for _, o := range []client.Object{secret, object} {
			if err := c.Create(t.Context(), o); err != nil {
				t.Fatal(err)
			}
		}
	}
	log, _ = c.latchkey(t, "latchkey-controller", "controller", "--tenant-namespaces=alice",
		"--manage-certificate=false", "--metrics-bind-address=0", "--health-probe-bind-address=0")
	bundle := func(ns string) *unstructured.Unstructured {
		o := &unstructured.Unstructured{}
		o.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
		o.SetNamespace(ns)
		o.SetName("latchkey-user-env")
		return c.find(t, o)
	}
	eventually(t, "alice's bundle", log, func() bool { return bundle("alice") != nil })
	if bundle("shop-prod") != nil {
		t.Error("a namespace that is no tenant has a bundle")
	}
	if strings.Contains(log.String(), "orbidden") {
		t.Errorf("the controller lacks a right:\n%s", log)
	}
	// The rights to one tenant are no rights to another.
	kubectl := exec.CommandContext(t.Context(), kubectlPath(t), "--kubeconfig", c.as(t, "latchkey-controller"), "--namespace", "shop-prod", "get", "secrets")
	if out, err := kubectl.CombinedOutput(); err == nil || !strings.Contains(string(out), "forbidden") {
		t.Errorf("the controller reads Secrets of a namespace that is no tenant: %s", out)
	}
}
