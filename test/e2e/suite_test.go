// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

// Package e2e holds what users see, against an installed Latchkey: pods that a kubelet
// runs have their secrets, as variables and as files, whatever happens to Latchkey.
//
// It needs a cluster with a node (KUBECONFIG), and an image with a shell (BUSYBOX_IMAGE).
// Where Latchkey is not installed, it is, by the commands of the README with the Helm
// that HELM names. `make e2e` provides all of that. Namespaces that the specs make have
// names of their own and are deleted at the end; what they do to Latchkey itself, such as
// scaling it to nothing, they undo. A Latchkey that was there before is not removed.
package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/latchkey-dev/latchkey/test/conformance"
	"github.com/latchkey-dev/latchkey/test/framework"
)

// What every spec uses, set once before the first.
var (
	config  *rest.Config
	api     client.Client // the administrator's, without a cache
	core    kubernetes.Interface
	kubectl framework.Kubectl
	// The two faces of the REST APIs.
	direct, aggregated conformance.Face
	// busybox is the image of the specs' pods.
	busybox string
	// runID makes the names of this run its own.
	runID = strconv.FormatInt(time.Now().Unix(), 36)
	logs  *logKeeper
)

func TestE2E(t *testing.T) {
	RegisterFailHandler(Fail)
	log.SetLogger(GinkgoLogr)
	SetDefaultEventuallyTimeout(time.Minute)
	SetDefaultEventuallyPollingInterval(100 * time.Millisecond)
	SetDefaultConsistentlyDuration(3 * time.Second)
	SetDefaultConsistentlyPollingInterval(200 * time.Millisecond)
	EnforceDefaultTimeoutsWhenUsingContexts()
	suite, reporter := GinkgoConfiguration()
	if deadline, ok := t.Deadline(); ok {
		// Before go test's own, which would leave Latchkey as a spec made it.
		suite.Timeout = max(time.Until(deadline)-time.Minute, time.Minute)
	}
	RunSpecs(t, "End to end", suite, reporter)
}

var _ = BeforeSuite(func(ctx SpecContext) {
	Expect(connect()).To(Succeed())
	folder := valueOr(os.Getenv("E2E_LOGS"), GinkgoT().TempDir())
	Expect(os.MkdirAll(folder, 0o700)).To(Succeed())
	logs = keepLogs(folder)
	DeferCleanup(logs.stop)
	install(ctx)
	awaitLatchkey(ctx)
	Expect(knock(ctx)).To(Succeed())
	DeferCleanup(deleteTenants)
})

// connect finds the cluster and the tools that the environment names.
func connect() error {
	kubeconfig := os.Getenv("KUBECONFIG")
	if kubeconfig == "" {
		return errors.New("KUBECONFIG is not set: run `make e2e`, which brings a node up if there is no other cluster")
	}
	busybox = valueOr(os.Getenv("BUSYBOX_IMAGE"), "docker.io/library/busybox:stable")
	var err error
	if config, err = clientcmd.BuildConfigFromFlags("", kubeconfig); err != nil {
		return err
	}
	config.QPS = -1
	if err := rest.LoadTLSFiles(config); err != nil {
		return err
	}
	if api, err = client.New(config, client.Options{Scheme: framework.NewScheme()}); err != nil {
		return fmt.Errorf("reach the API server: %w", err)
	}
	if core, err = kubernetes.NewForConfig(config); err != nil {
		return err
	}
	absolute, err := filepath.Abs(kubeconfig)
	if err != nil {
		return err
	}
	kubectl = framework.NewKubectl(valueOr(os.Getenv("KUBECTL"), "kubectl"), absolute, GinkgoT().TempDir())
	return nil
}

func valueOr(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

// run calls kubectl and returns what it prints.
func run(ctx context.Context, args ...string) string {
	GinkgoHelper()
	out, err := kubectl.Run(ctx, "", args...)
	Expect(err).NotTo(HaveOccurred())
	return out
}

// apply applies a manifest.
func apply(ctx context.Context, manifest string) {
	GinkgoHelper()
	_, err := kubectl.Run(ctx, manifest, "apply", "-f", "-")
	Expect(err).NotTo(HaveOccurred())
}
