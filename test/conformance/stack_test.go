// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestStack runs every case against the stack that the environment names, such as
// that of bin/dev/env. Without one there is nothing to run against: the integration
// suite runs the same cases against its own.
func TestStack(t *testing.T) {
	if os.Getenv("LATCHKEY_URL") == "" || os.Getenv("KUBECONFIG") == "" {
		t.Skip("LATCHKEY_URL and KUBECONFIG are not set: run `make up` and source bin/dev/env to run the cases against a stack; the integration suite runs them too")
	}
	cfg, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		t.Fatal(err)
	}
	cfg.QPS = -1
	admin, err := client.New(cfg, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(os.Getenv("LATCHKEY_CA"))
	if err != nil {
		t.Fatal(err)
	}
	if err := rest.LoadTLSFiles(cfg); err != nil {
		t.Fatal(err)
	}
	direct, err := Direct(os.Getenv("LATCHKEY_URL"), ca)
	if err != nil {
		t.Fatal(err)
	}
	aggregated, err := Aggregated(cfg.Host, cfg.CAData)
	if err != nil {
		t.Fatal(err)
	}
	run := fmt.Sprintf("c%x", time.Now().UnixMilli())
	for _, f := range []Face{direct, aggregated} {
		t.Run(f.Name, func(t *testing.T) { runFace(t, f, Tenants{Admin: admin}, run+f.Name[:1]) })
	}
}

func runFace(t *testing.T, f Face, tenants Tenants, prefix string) {
	if err := tenants.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	coder, err := CoderCases()
	if err != nil {
		t.Fatal(err)
	}
	golem, err := GolemCases()
	if err != nil {
		t.Fatal(err)
	}
	var left sync.Map
	for i, c := range coder {
		t.Run("coder/"+c.Name, func(t *testing.T) {
			t.Parallel()
			if why := c.NotOn(f); why != "" {
				left.Store(c.Name, why)
				t.Skipf("not on the %s face: %s", f.Name, why)
			}
			if err := RunCoder(t.Context(), f, tenants, c, fmt.Sprintf("%sc%d", prefix, i)); err != nil {
				t.Error(err)
			}
		})
	}
	for i, c := range golem {
		t.Run("golem/"+c.Name, func(t *testing.T) {
			t.Parallel()
			if why := c.NotOn(f); why != "" {
				left.Store(c.Name, why)
				t.Skipf("not on the %s face: %s", f.Name, why)
			}
			if err := RunGolem(t.Context(), f, tenants, c, fmt.Sprintf("%sg%d", prefix, i)); err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(func() {
		n := 0
		left.Range(func(any, any) bool { n++; return true })
		t.Logf("%s face: %d cases, %d do not apply", f.Name, len(coder)+len(golem), n)
	})
}
