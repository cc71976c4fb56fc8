// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	dto "github.com/prometheus/client_model/go"
	certutil "k8s.io/client-go/util/cert"
)

// issue returns what the Secret would hold.
func issue(t *testing.T, host string) map[string][]byte {
	t.Helper()
	cert, key, err := certutil.GenerateSelfSignedCertKey(host, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{"tls.crt": cert, "tls.key": key}
}

type counter int

func (c *counter) Enqueue() { *c++ }

func TestKeeperServesTheNewest(t *testing.T) {
	k, heard := &Provider{}, new(counter)
	k.AddListener(heard)
	if cert, key := k.CurrentCertKeyContent(); cert != nil || key != nil || k.Ready() == nil {
		t.Error("a provider without a certificate is ready")
	}
	first, second := issue(t, "first"), issue(t, "second")
	for _, step := range []struct {
		name       string
		data, want map[string][]byte
		wantErr    bool
		wantHeard  counter
	}{
		{"the first is taken", first, first, false, 1},
		{"the same again is no news", first, first, false, 1},
		{"what is no certificate is not taken", map[string][]byte{"tls.crt": []byte("x"), "tls.key": []byte("x")}, first, true, 1},
		{"a key of another is not taken", map[string][]byte{"tls.crt": second["tls.crt"], "tls.key": first["tls.key"]}, first, true, 1},
		{"an emptied Secret changes nothing", nil, first, true, 1},
		{"a renewed one is taken", second, second, false, 2},
	} {
		if err := k.set(step.data); (err != nil) != step.wantErr {
			t.Errorf("%s: %v", step.name, err)
		}
		cert, key := k.CurrentCertKeyContent()
		if !bytes.Equal(cert, step.want["tls.crt"]) || !bytes.Equal(key, step.want["tls.key"]) {
			t.Errorf("%s: another certificate is served", step.name)
		}
		parsed, err := k.GetCertificate(nil)
		if err != nil || k.Ready() != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		pem, err := certutil.ParseCertsPEM(step.want["tls.crt"])
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(parsed.Certificate[0], pem[0].Raw) {
			t.Errorf("%s: the parsed certificate is another", step.name)
		}
		metric := &dto.Metric{}
		if err := expiry.Write(metric); err != nil || metric.GetGauge().GetValue() != float64(pem[0].NotAfter.Unix()) {
			t.Errorf("%s: it is said to expire at %v, not %v (%v)", step.name, metric.GetGauge().GetValue(), pem[0].NotAfter, err)
		}
		if diff := cmp.Diff(step.wantHeard, *heard); diff != "" {
			t.Errorf("%s: listeners heard (-want +got):\n%s", step.name, diff)
		}
	}
}

func TestWaitEndsWithTheCertificateOrTheContext(t *testing.T) {
	k := &Provider{}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 2)
	go func() { done <- k.Wait(ctx) }()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Wait = %v, want the context's error", err)
	}
	go func() { done <- k.Wait(t.Context()) }()
	if err := k.set(issue(t, "x")); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("Wait = %v", err)
	}
	if err := k.Wait(t.Context()); err != nil || len(k.listeners) != 0 {
		t.Errorf("afterwards: %v, %d listeners", err, len(k.listeners))
	}
}
