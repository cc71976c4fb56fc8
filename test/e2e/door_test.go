// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/internal/certs"
	"github.com/latchkey-dev/latchkey/test/conformance"
)

// knock finds the way to both faces: through the API server, and to the Service of the
// servers, which clients elsewhere may only reach through a forwarded port.
func knock(ctx context.Context) error {
	secret := &corev1.Secret{}
	if err := api.Get(ctx, client.ObjectKey{Namespace: systemNamespace, Name: certs.SecretName}, secret); err != nil {
		return err
	}
	service := &corev1.Service{}
	if err := api.Get(ctx, client.ObjectKey{Namespace: systemNamespace, Name: serverName}, service); err != nil {
		return err
	}
	var err error
	direct, err = conformance.Direct(fmt.Sprintf("https://%s.%s.svc", serverName, systemNamespace), secret.Data["ca.crt"])
	if err != nil {
		return err
	}
	transport, ok := direct.Client.Transport.(*http.Transport)
	if !ok {
		return errors.New("the client of the direct face has a transport of another kind")
	}
	address := net.JoinHostPort(service.Spec.ClusterIP, "443")
	dialer := &net.Dialer{Timeout: 3 * time.Second}
	dial = func(ctx context.Context) (net.Conn, error) { return dialer.DialContext(ctx, "tcp", address) }
	transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) }
	// A Service that is new takes a moment. One that cannot be reached from here never answers.
	if wait.PollUntilContextTimeout(ctx, 200*time.Millisecond, 10*time.Second, true, reachable) != nil {
		if address, err = forwardPort(); err != nil {
			return err
		}
	}
	aggregated, err = conformance.Aggregated(config.Host, config.CAData)
	return err
}

// dial connects to a server. Which one, the Service decides.
var dial func(context.Context) (net.Conn, error)

// reachable reports whether all of many connections find a server: none is sent to one
// that is gone, which a node learns some time after the API server does.
func reachable(ctx context.Context) (bool, error) {
	for range 20 {
		connection, err := dial(ctx)
		if err != nil {
			return false, nil
		}
		_ = connection.Close()
	}
	return true, nil
}

var forwarded = regexp.MustCompile(`^Forwarding from (127\.0\.0\.1:\d+)`)

// forwardPort has kubectl forward a port of this machine to a server, until the suite
// ends.
func forwardPort() (string, error) {
	command := exec.Command(valueOr(os.Getenv("KUBECTL"), "kubectl"),
		"--namespace", systemNamespace, "port-forward", "--address", "127.0.0.1", "service/"+serverName, ":443")
	out, err := command.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := command.Start(); err != nil {
		return "", err
	}
	DeferCleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if found := forwarded.FindStringSubmatch(lines.Text()); found != nil {
			return found[1], nil
		}
	}
	return "", errors.New("the Service of the servers cannot be reached from here, and kubectl port-forward failed")
}

// ask sends a request of the REST APIs as an account. Its body is JSON.
func ask(ctx context.Context, f conformance.Face, who conformance.Account, method, url, body string) conformance.Answer {
	GinkgoHelper()
	answer, err := tryAsk(ctx, f, who, method, url, body)
	Expect(err).NotTo(HaveOccurred())
	return answer
}

// tryAsk does the same, for those who may not get an answer.
func tryAsk(ctx context.Context, f conformance.Face, who conformance.Account, method, url, body string) (conformance.Answer, error) {
	header := http.Header{"Authorization": {"Bearer " + who.Token}, "Content-Type": {"application/json"}}
	return f.Do(ctx, method, url, header, body)
}

// mySecrets is where an account finds its secrets; with a name, that one.
func mySecrets(f conformance.Face, name string) string {
	if name != "" {
		name = "/" + name
	}
	return f.Coder + "/users/me/secrets" + name
}
