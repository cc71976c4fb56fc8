// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
)

// TestStack runs every case against the stack that the environment names, such as
// that of bin/dev/env. Without one there is nothing to run against: the integration
// suite runs the same cases against its own.
func TestStack(t *testing.T) {
	admin, direct, aggregated := stack(t)
	run := fmt.Sprintf("c%x", time.Now().UnixMilli())
	tenants := Tenants{Admin: admin}
	reader, err := tenants.New(t.Context(), run, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []Face{direct[0], aggregated} {
		f, err := f.Held(t.Context(), reader.Token)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(f.Name, func(t *testing.T) { runFace(t, f, tenants, run+f.Name[:1]) })
	}
}

// TestRaces lets many requests at all replicas claim the same.
func TestRaces(t *testing.T) {
	admin, direct, _ := stack(t)
	r := Races{Faces: direct, Tenants: Tenants{Admin: admin}, Width: 200}
	run := fmt.Sprintf("r%x", time.Now().UnixMilli())
	for i, c := range Contests() {
		t.Run(c.Name, func(t *testing.T) {
			for round := range rounds() {
				if err := r.Run(t.Context(), c, fmt.Sprintf("%s-%d-%d", run, i, round)); err != nil {
					t.Fatalf("round %d: %v", round, err)
				}
			}
		})
	}
	r.Width = 50
	t.Run("revision", func(t *testing.T) {
		for round := range rounds() {
			if err := r.RunRevision(t.Context(), fmt.Sprintf("%s-rev-%d", run, round)); err != nil {
				t.Fatalf("round %d: %v", round, err)
			}
		}
	})
}

// rounds is how often each race is run.
func rounds() int {
	if n, err := strconv.Atoi(os.Getenv("ROUNDS")); err == nil {
		return n
	}
	return 20
}

// stack returns the stack that the environment names: its administrator and faces.
func stack(t *testing.T) (client.Client, []Face, Face) {
	t.Helper()
	if os.Getenv("LATCHKEY_URLS") == "" || os.Getenv("KUBECONFIG") == "" {
		t.Skip("LATCHKEY_URLS and KUBECONFIG are not set: run `make up` and source bin/dev/env to run the cases against a stack; the integration suite runs them too")
	}
	cfg, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		t.Fatal(err)
	}
	cfg.QPS = -1
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	admin, err := client.New(cfg, client.Options{Scheme: scheme})
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
	var direct []Face
	for _, url := range strings.Fields(os.Getenv("LATCHKEY_URLS")) {
		f, err := Direct(url, ca)
		if err != nil {
			t.Fatal(err)
		}
		direct = append(direct, f)
	}
	aggregated, err := Aggregated(cfg.Host, cfg.CAData)
	if err != nil {
		t.Fatal(err)
	}
	return admin, direct, aggregated
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
