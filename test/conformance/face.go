// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
)

// Face is one of the two ways to reach the REST APIs.
type Face struct {
	// Name says which, for messages.
	Name string
	// Base is what all paths begin with.
	Base string
	// Coder and Golem are the bases that stand for /api/v2 and /v1.
	Coder, Golem string
	// Aggregated tells that the cluster authenticates the caller.
	Aggregated bool
	// Client trusts the face's certificate.
	Client *http.Client

	// documents are what every exchange is held to; see Held.
	documents []*openapi3.T
}

// Direct returns Latchkey's own port.
func Direct(url string, ca []byte) (Face, error) {
	c, err := trusting(ca)
	url = strings.TrimSuffix(url, "/")
	return Face{Name: "direct", Base: url, Coder: url + "/api/v2", Golem: url + "/v1", Client: c}, err
}

// Aggregated returns the way through the API server.
func Aggregated(url string, ca []byte) (Face, error) {
	c, err := trusting(ca)
	url = strings.TrimSuffix(url, "/")
	return Face{
		Name:       "aggregated",
		Base:       url,
		Coder:      url + "/apis/coder.latchkey.dev/v2",
		Golem:      url + "/apis/golem.latchkey.dev/v1",
		Aggregated: true,
		Client:     c,
	}, err
}

func trusting(ca []byte) (*http.Client, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return nil, errors.New("the CA is no PEM certificate")
	}
	return &http.Client{
		Timeout: 30 * time.Second,
		Transport: &http.Transport{
			TLSClientConfig:     &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			MaxIdleConnsPerHost: 256,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// Answer is what came back.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Do sends one request.
func (f Face) Do(ctx context.Context, method, url string, header http.Header, body string) (Answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return Answer{}, err
	}
	req.Header = header.Clone()
	resp, err := f.Client.Do(req)
	if err != nil {
		return Answer{}, err
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	b, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		return Answer{}, err
	}
	got := Answer{Status: resp.StatusCode, Header: resp.Header, Body: b}
	return got, f.holds(ctx, req, body, got)
}

// Account is somebody who can call the APIs.
type Account struct {
	// Namespace is theirs; Name is the username or environment's name.
	Namespace, Name string
	// ID is the user's or environment's id.
	ID string
	// Token is a service account's.
	Token string
}

// Tenants makes accounts in the cluster that the APIs serve.
type Tenants struct {
	// Admin is the administrator's client.
	Admin client.Client
	// Labels are put on every namespace, beside those that it needs.
	Labels map[string]string
}

// New makes a namespace with the labels given and a service account in it.
func (t Tenants) New(ctx context.Context, name string, labels, annotations map[string]string) (Account, error) {
	all := maps.Clone(t.Labels)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, labels)
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: all, Annotations: annotations}}
	if err := t.Admin.Create(ctx, ns); err != nil {
		return Account{}, err
	}
	token, err := t.Token(ctx, name, "caller")
	return Account{Namespace: name, Name: name, ID: string(ns.UID), Token: token}, err
}

// Token makes a service account and returns a token of it.
func (t Tenants) Token(ctx context.Context, namespace, name string) (string, error) {
	sa := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	if err := t.Admin.Create(ctx, sa); err != nil {
		return "", err
	}
	hour := int64(3600)
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &hour}}
	if err := t.Admin.SubResource("token").Create(ctx, sa, request); err != nil {
		return "", err
	}
	return request.Status.Token, nil
}

// NewUser makes a user who has no secrets.
func (t Tenants) NewUser(ctx context.Context, name string) (Account, error) {
	return t.New(ctx, name,
		map[string]string{v1alpha1.LabelUser: name},
		map[string]string{v1alpha1.AnnotationSubjects: fmt.Sprintf("system:serviceaccount:%s:caller", name)})
}

// NewEnvironment makes an environment without secrets.
func (t Tenants) NewEnvironment(ctx context.Context, name string) (Account, error) {
	return t.New(ctx, name, map[string]string{v1alpha1.LabelEnvironment: name}, nil)
}

// Empty deletes an account's secrets, so that what is left of many cases weighs
// nothing in the cluster.
func (t Tenants) Empty(ctx context.Context, a Account) error {
	if a.Namespace == "" {
		return nil
	}
	return errors.Join(
		t.Admin.DeleteAllOf(ctx, &v1alpha1.UserSecret{}, client.InNamespace(a.Namespace)),
		t.Admin.DeleteAllOf(ctx, &v1alpha1.AgentSecret{}, client.InNamespace(a.Namespace)))
}

// until tries again until f succeeds: the directory learns of a new tenant through
// a watch.
func until(ctx context.Context, f func() error) error {
	deadline := time.Now().Add(15 * time.Second)
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := f()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		}
	}
}
