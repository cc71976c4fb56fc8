// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// token returns a token of a service account.
func (c *cluster) token(t *testing.T, account *corev1.ServiceAccount) string {
	t.Helper()
	request := &authenticationv1.TokenRequest{}
	if err := c.SubResource("token").Create(t.Context(), account, request); err != nil {
		t.Fatal(err)
	}
	return request.Status.Token
}

// as returns a kubeconfig with the rights of a service account of the chart.
func (c *cluster) as(t *testing.T, account string) string {
	t.Helper()
	token := c.token(t, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: account}})
	config, err := clientcmd.LoadFromFile(c.kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	for name := range config.AuthInfos {
		config.AuthInfos[name] = &clientcmdapi.AuthInfo{Token: token}
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// latchkey starts the program with an account's rights, and returns a function that
// reads its log. It is told to end with the test, or by ended, and has to end well.
func (c *cluster) latchkey(t *testing.T, account string, args ...string) (log func() string, ended func() error) {
	t.Helper()
	file, err := os.CreateTemp(t.TempDir(), "log")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), tool(t, "LATCHKEY", "bin/latchkey"), append(args, "--kubeconfig", c.as(t, account))...)
	cmd.Stdout, cmd.Stderr = file, file
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 30 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended = sync.OnceValue(cmd.Wait)
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = ended() // the test has ended, and so has its context: the program was told to
	})
	return func() string {
		content, err := os.ReadFile(file.Name())
		if err != nil {
			t.Error(err)
		}
		return string(content)
	}, ended
}

// eventually polls until a condition holds.
func eventually(t *testing.T, what string, log func() string, holds func() bool) {
	t.Helper()
	if err := wait.PollUntilContextTimeout(t.Context(), 100*time.Millisecond, time.Minute, true, func(context.Context) (bool, error) {
		return holds(), nil
	}); err != nil {
		t.Fatalf("%s did not come about; the log:\n%s", what, log())
	}
}

// caller returns a client that trusts the certificate of the servers and no other, once
// the controller has made it.
func (c *cluster) caller(t *testing.T, log func() string) *http.Client {
	t.Helper()
	certificate := &corev1.Secret{}
	eventually(t, "a serving certificate", log, func() bool {
		key := client.ObjectKey{Namespace: namespace, Name: "latchkey-server-tls"}
		return c.Get(t.Context(), key, certificate) == nil && len(certificate.Data["ca.crt"]) > 0
	})
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(certificate.Data["ca.crt"]) {
		t.Fatalf("ca.crt of %s is no certificate", certificate.Name)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "latchkey-server." + namespace + ".svc", MinVersion: tls.VersionTLS13}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// call asks a server of the REST APIs as an account, and returns the status; 0 where
// there is no answer.
func call(t *testing.T, caller *http.Client, token, method, url, body string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header = http.Header{"Authorization": {"Bearer " + token}, "Content-Type": {"application/json"}}
	answer, err := caller.Do(request)
	if err != nil {
		return 0
	}
	defer answer.Body.Close()
	return answer.StatusCode
}

// address returns a free address.
func address(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// TestTheRolesAreEnough runs the program with the rights that the chart gives it, and
// no others: the uninstall, then a controller and a server for one tenant, beside one
// whose namespace was made again without the Roles.
func TestTheRolesAreEnough(t *testing.T) {
	c := newCluster(t)
	values := []string{"--set", "tenantNamespaces={alice,shop-prod}", "--set", "certificates.certManager.enabled=false"}
	c.run(t, append([]string{"install", "latchkey", chartPath}, values...)...)
	all := rendered(t, "", values...)
	for key, o := range all {
		if strings.Contains(key, "latchkey-uninstall") && o.GetKind() != "Job" {
			if err := c.Create(t.Context(), o.DeepCopy()); err != nil {
				t.Fatalf("%s: %v", key, err)
			}
		}
	}

	log, ended := c.latchkey(t, "latchkey-uninstall", "uninstall")
	if err := ended(); err != nil {
		t.Fatalf("latchkey uninstall: %v\n%s", err, log())
	}
	for _, key := range []string{"APIService /v2.coder.latchkey.dev", "APIService /v1.golem.latchkey.dev", "MutatingWebhookConfiguration /latchkey"} {
		if c.find(t, all.get(t, key)) != nil {
			t.Errorf("latchkey uninstall left %s", key)
		}
	}

	if err := c.DeleteAllOf(t.Context(), &rbacv1.RoleBinding{}, client.InNamespace("shop-prod")); err != nil {
		t.Fatal(err)
	}
	// Without the webhook, objects are stored as they are.
	tokens := map[string]string{}
	for _, ns := range []string{"alice", "shop-prod"} {
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "a"}, StringData: map[string]string{"b": "value"}}
		caller := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "caller"}}
		object := userSecret()
		object.SetNamespace(ns)
		for _, o := range []client.Object{secret, caller, object} {
			if err := c.Create(t.Context(), o); err != nil {
				t.Fatal(err)
			}
		}
		tokens[ns] = c.token(t, caller)
		user := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}
		patch := fmt.Sprintf(`{"metadata":{"labels":{"latchkey.dev/user":%q},"annotations":{"latchkey.dev/subjects":"system:serviceaccount:%s:caller"}}}`, ns, ns)
		if err := c.Patch(t.Context(), user, client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
			t.Fatal(err)
		}
	}
	controllerLog, _ := c.latchkey(t, "latchkey-controller", "controller", "--tenant-namespaces=alice,shop-prod",
		"--unregister-apis-after=0", "--metrics-bind-address=0", "--health-probe-bind-address=0")
	rest := address(t)
	serverLog, _ := c.latchkey(t, "latchkey-server", "server", "--tenant-namespaces=alice,shop-prod", "--secure-bind-address="+rest,
		"--advertise-address="+rest, "--webhook-bind-address="+address(t), "--metrics-bind-address=0", "--health-probe-bind-address=0")
	bundle := func(ns string) *unstructured.Unstructured {
		o := &unstructured.Unstructured{}
		o.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
		o.SetNamespace(ns)
		o.SetName("latchkey-user-env")
		return c.find(t, o)
	}
	caller := c.caller(t, controllerLog)
	mine := "https://" + rest + "/api/v2/users/me/secrets"
	eventually(t, "a secret of alice's through REST", serverLog, func() bool {
		return call(t, caller, tokens["alice"], http.MethodPost, mine, `{"name":"rest","value":"v","env_name":"REST"}`) == http.StatusCreated
	})
	eventually(t, "alice's bundle", controllerLog, func() bool {
		o := bundle("alice")
		return o != nil && field(o, "data", "REST") != nil
	})
	if got := call(t, caller, tokens["shop-prod"], http.MethodGet, mine, ""); got != http.StatusNotFound {
		t.Errorf("a user without Roles is answered %d, want 404 as everybody who is no user", got)
	}
	if bundle("shop-prod") != nil {
		t.Error("a namespace without Roles has a bundle")
	}
	for _, log := range []func() string{controllerLog, serverLog} {
		if strings.Contains(log(), "orbidden") {
			t.Errorf("a right is missing:\n%s", log())
		}
		if !strings.Contains(log(), `Tenants are left out until the next start`) {
			t.Errorf("nobody is told that a tenant is left out:\n%s", log())
		}
	}
	// The rights to one tenant are no rights to another.
	for account, resource := range map[string]string{"latchkey-controller": "secrets", "latchkey-server": "usersecrets"} {
		if out, err := kubectlWith(t, c.as(t, account), "", "--namespace", "shop-prod", "get", resource); err == nil || !strings.Contains(out, "forbidden") {
			t.Errorf("%s reads %s of a namespace that is no tenant: %s", account, resource, out)
		}
	}
}
