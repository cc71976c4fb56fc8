// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package framework

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/controllers/aggregation"
	"github.com/latchkey-dev/latchkey/internal/certs"
)

// settleTimeout is how long the API server may take to notice a change of the
// webhook configuration.
const settleTimeout = time.Minute

// RemoveWebhooks deletes the webhook configuration and waits until the API server no
// longer calls the webhooks.
func (c *Cluster) RemoveWebhooks(ctx context.Context) error {
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: certs.WebhookConfiguration},
	}
	// With the mark of an uninstall; otherwise the controller would put it back.
	mark := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"annotations":{"`+aggregation.AnnotationUninstall+`":"true"}}}`))
	if err := client.IgnoreNotFound(c.Client.Patch(ctx, configuration, mark)); err != nil {
		return err
	}
	if err := client.IgnoreNotFound(c.Client.Delete(ctx, configuration)); err != nil {
		return err
	}
	return c.await(ctx, "admission to be gone", func(err error) bool {
		return err != nil && strings.Contains(err.Error(), "must be sealed before it is stored")
	})
}

// RestoreManifests applies the manifests again.
func (c *Cluster) RestoreManifests(ctx context.Context) error { return c.applyManifests(ctx) }

// RestoreWebhooks applies the manifests again and waits until values are sealed.
func (c *Cluster) RestoreWebhooks(ctx context.Context) error {
	if err := c.applyManifests(ctx); err != nil {
		return err
	}
	return c.AwaitAdmission(ctx)
}

// AwaitAdmission waits until the API server reaches the admission webhooks.
func (c *Cluster) AwaitAdmission(ctx context.Context) error {
	return c.await(ctx, "admission to work", func(err error) bool { return err == nil })
}

// await repeats a dry run of a create until it has the wanted outcome.
func (c *Cluster) await(ctx context.Context, what string, wanted func(error) bool) error {
	var last error
	err := wait.PollUntilContextTimeout(ctx, pollEvery, settleTimeout, true, func(ctx context.Context) (bool, error) {
		probe := UserSecret("default", "probe", v1alpha1.UserSecretSpec{Value: v1alpha1.WriteOnlyString("probe")})
		err := c.Client.Create(ctx, probe, client.DryRunAll)
		if ctx.Err() == nil {
			last = err
		}
		return wanted(err), nil
	})
	if err != nil {
		return fmt.Errorf("wait for %s: %w: %w", what, err, last)
	}
	return nil
}

// Review asks one server replica, as the API server would, whether it admits the
// creation of obj.
func (c *Cluster) Review(ctx context.Context, server *Process, obj client.Object, kind string) (*admissionv1.AdmissionResponse, error) {
	raw, err := json.Marshal(obj)
	if err != nil {
		return nil, err
	}
	path, err := c.HookPath(ctx, strings.ToLower(kind)+"s.latchkey.dev")
	if err != nil {
		return nil, err
	}
	answer, err := c.Ask(ctx, server, path, &admissionv1.AdmissionRequest{
		UID:       types.UID("review"),
		Operation: admissionv1.Create,
		Namespace: obj.GetNamespace(),
		Name:      obj.GetName(),
		Object:    runtime.RawExtension{Raw: raw},
	})
	if err != nil {
		return nil, err
	}
	var review admissionv1.AdmissionReview
	if err := json.Unmarshal(answer.Body, &review); err != nil {
		return nil, fmt.Errorf("%s: answer %d: %w", server.name, answer.Code, err)
	}
	if review.Response == nil {
		return nil, errors.New("a review without a response")
	}
	return review.Response, nil
}

// HookPath returns the path at which the API server asks a webhook of Latchkey's
// configuration.
func (c *Cluster) HookPath(ctx context.Context, webhook string) (string, error) {
	configuration, err := c.webhooks(ctx)
	if err != nil {
		return "", err
	}
	for i := range configuration.Webhooks {
		w := &configuration.Webhooks[i]
		if w.Name == webhook && w.ClientConfig.Service != nil && w.ClientConfig.Service.Path != nil {
			return *w.ClientConfig.Service.Path, nil
		}
	}
	return "", fmt.Errorf("webhook %s has no path", webhook)
}

// Answer is an answer over HTTP.
type Answer struct {
	Code   int
	Header http.Header
	Body   []byte
}

// Ask posts an AdmissionReview to a server's admission port, as anyone can who reaches it.
func (c *Cluster) Ask(ctx context.Context, server *Process, path string, request *admissionv1.AdmissionRequest) (Answer, error) {
	body, err := json.Marshal(admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: admissionv1.SchemeGroupVersion.String(), Kind: "AdmissionReview"},
		Request:  request,
	})
	if err != nil {
		return Answer{}, err
	}
	return c.Knock(ctx, server, http.MethodPost, path, bytes.NewReader(body))
}

// Knock sends any request to a server's admission port, and presents certificates if the
// server asks for them.
func (c *Cluster) Knock(ctx context.Context, server *Process, method, path string, body io.Reader, certificates ...tls.Certificate) (Answer, error) {
	request, err := http.NewRequestWithContext(ctx, method, "https://"+server.WebhookAddress(), body)
	if err != nil {
		return Answer{}, err
	}
	request.URL.Opaque = path // as it is, dots and all
	request.Header.Set("Content-Type", "application/json")
	caller, err := c.webhookCaller(ctx, certificates)
	if err != nil {
		return Answer{}, err
	}
	defer caller.CloseIdleConnections()
	response, err := caller.Do(request)
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	return Answer{Code: response.StatusCode, Header: response.Header, Body: content}, err
}

// WebhookAddress returns where a server's admission port is.
func (p *Process) WebhookAddress() string { return address(p.webhookPort) }

func (c *Cluster) webhooks(ctx context.Context) (*admissionregistrationv1.MutatingWebhookConfiguration, error) {
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{}
	return configuration, c.Client.Get(ctx, client.ObjectKey{Name: certs.WebhookConfiguration}, configuration)
}

// webhookCaller is a client that trusts the same CA as the API server.
func (c *Cluster) webhookCaller(ctx context.Context, certificates []tls.Certificate) (*http.Client, error) {
	configuration, err := c.webhooks(ctx)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	for i := range configuration.Webhooks {
		roots.AppendCertsFromPEM(configuration.Webhooks[i].ClientConfig.CABundle)
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{
		MinVersion: tls.VersionTLS13, RootCAs: roots, Certificates: certificates, ServerName: "latchkey-webhook." + SystemNamespace + ".svc",
	}}}, nil
}
