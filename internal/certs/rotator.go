// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package certs maintains Latchkey's serving certificate. The controller makes and
// rotates it, with the cert-controller library, in a Secret of Latchkey's own
// namespace, and writes its CA into the webhook configuration and the APIServices.
// Every server replica watches that Secret and serves the certificate in it, without a
// restart or a mounted file.
package certs

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/open-policy-agent/cert-controller/pkg/rotator"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// SecretName is the Secret that holds the certificate.
	SecretName = "latchkey-server-tls"
	// WebhookConfiguration is the MutatingWebhookConfiguration whose caBundle is
	// maintained.
	WebhookConfiguration = "latchkey"
)

// APIServices returns the names of Latchkey's APIServices, whose caBundle is
// maintained.
func APIServices() []string { return []string{"v2.coder.latchkey.dev", "v1.golem.latchkey.dev"} }

// services are the Services under whose names clients reach the servers.
var services = []string{"latchkey-webhook", "latchkey-server"}

// EnsureSecret creates the empty Secret that the rotator fills.
func EnsureSecret(ctx context.Context, c client.Client, namespace string) error {
	return createSecret(ctx, c, namespace, nil)
}

// AddRotator makes mgr's leader maintain the certificate. dir is a directory of the
// process's own, such as os.MkdirTemp returns.
func AddRotator(mgr ctrl.Manager, namespace, dir string) error {
	// The library waits for its certificate to be mounted, and ends the process if it
	// is not. Nothing is mounted here: the servers watch the Secret.
	if err := os.WriteFile(filepath.Join(dir, corev1.TLSCertKey), nil, 0o600); err != nil {
		return fmt.Errorf("prepare %s: %w", dir, err)
	}
	names := make([]string, 0, 2*len(services))
	for _, s := range services {
		names = append(names, fmt.Sprintf("%s.%s.svc", s, namespace), fmt.Sprintf("%s.%s.svc.cluster.local", s, namespace))
	}
	trusting := []rotator.WebhookInfo{{Name: WebhookConfiguration, Type: rotator.Mutating}}
	for _, name := range APIServices() {
		trusting = append(trusting, rotator.WebhookInfo{Name: name, Type: rotator.APIService})
	}
	return rotator.AddRotator(mgr, &rotator.CertRotator{
		SecretKey:             types.NamespacedName{Namespace: namespace, Name: SecretName},
		CertDir:               dir,
		CAName:                "latchkey-ca",
		CAOrganization:        "latchkey",
		DNSName:               names[0],
		ExtraDNSNames:         append(names[1:], "localhost"),
		IsReady:               make(chan struct{}),
		RequireLeaderElection: true,
		FieldOwner:            "latchkey",
		Webhooks:              trusting,
	})
}
