// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/test/framework"
)

// runScale measures a cluster with few objects, and then the same cluster with many, among
// Secrets that are not Latchkey's.
func runScale(ctx context.Context, b *bench, o options) error {
	user, err := b.newTenant(ctx, false, small)
	if err != nil {
		return err
	}
	if _, err := b.burst(ctx, 10*perTenant); err != nil {
		return err
	}
	b.report.Figures = nil // of a burst too small to say something
	var few, many []float64
	for range o.rounds {
		took, _, err := b.change(ctx, user, changes)
		if err != nil {
			return err
		}
		few = append(few, percentile(took, 50))
	}
	namespaces, err := b.namespaces(ctx, max(1, o.foreign/500))
	if err != nil {
		return err
	}
	text := strings.Repeat("x", 1024)
	if err := each(o.foreign, func(i int) error {
		return b.Client.Create(ctx, framework.Secret(namespaces[i%len(namespaces)], fmt.Sprint("foreign-", i), map[string]string{"key": text}))
	}); err != nil {
		return err
	}
	if err := b.fill(ctx, o.objects); err != nil {
		return err
	}
	for i := range o.rounds {
		took, _, err := b.change(ctx, user, changes)
		if err != nil {
			return err
		}
		many = append(many, percentile(took, 50))
		b.report.add("one change, cluster full over cluster empty: time, p50", "", "≤ 1.2", many[i]/few[i])
	}
	if err := b.memory(ctx, "after the burst"); err != nil {
		return err
	}
	for range o.rounds {
		if err := b.restart(ctx); err != nil {
			return err
		}
	}
	return b.memory(ctx, "after a restart")
}

// fill creates objects, and says what one costs the API server in memory, and as it is stored.
func (b *bench) fill(ctx context.Context, n int) error {
	server, err := b.APIServer()
	if err != nil {
		return err
	}
	before := memoryMiB(server.PID(), "VmRSS")
	if _, err := b.burst(ctx, n); err != nil {
		return err
	}
	b.report.add("RSS of kube-apiserver per object", "KiB", "", (memoryMiB(server.PID(), "VmRSS")-before)*1024/float64(n))
	some := &unstructured.UnstructuredList{}
	some.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("UserSecretList"))
	if err := b.Client.List(ctx, some, client.Limit(100)); err != nil {
		return err
	}
	size := 0
	for i := range some.Items {
		raw, err := some.Items[i].MarshalJSON()
		if err != nil {
			return err
		}
		size += len(raw)
	}
	b.report.add("bytes of a UserSecret as JSON", "B", "", float64(size)/float64(len(some.Items)))
	bundles := &corev1.SecretList{}
	if err := b.Client.List(ctx, bundles, client.Limit(100), client.HasLabels{v1alpha1.LabelBundle}); err != nil {
		return err
	}
	size, values := 0, 0
	for i := range bundles.Items {
		size += bundles.Items[i].Size()
		values += len(bundles.Items[i].Data)
	}
	b.report.add("bytes of a bundle per value of 64 bytes", "B", "", float64(size)/float64(values))
	return nil
}

func (b *bench) memory(ctx context.Context, when string) error {
	now, err := b.idle(ctx)
	if err != nil {
		return err
	}
	b.report.add("RSS of the controller, "+when, "MiB", "≤ 150", now.controllerMiB)
	b.report.add("RSS of the server, "+when, "MiB", "≤ 150", now.serverMiB)
	b.report.add("live heap of the controller, "+when, "MiB", "", now.controllerLive)
	b.report.add("live heap of the server, "+when, "MiB", "", now.serverLive)
	b.report.add("peak RSS of the controller, "+when, "MiB", "", memoryMiB(b.Controller.PID(), "VmHWM"))
	b.report.add("peak RSS of the server, "+when, "MiB", "", memoryMiB(b.Server.PID(), "VmHWM"))
	return nil
}

// restart starts both processes again while everything is as it is to be.
func (b *bench) restart(ctx context.Context) error {
	for _, p := range []*framework.Process{b.Controller, b.Server} {
		if _, err := p.Stop(); err != nil {
			return err
		}
	}
	began := time.Now()
	if err := b.Server.Start(ctx, "-v=0"); err != nil {
		return err
	}
	b.report.add("restart: until the server is ready", "s", "", time.Since(began).Seconds())
	began = time.Now()
	if err := b.Controller.Start(ctx, "-v=0"); err != nil {
		return err
	}
	b.report.add("restart: until the controller is ready", "s", "", time.Since(began).Seconds())
	now, err := b.idle(ctx)
	if err != nil {
		return err
	}
	b.report.add("restart: bundles written", "", "0", now.bundles)
	b.report.add("restart: values opened", "", "0", now.opened)
	b.report.add("restart: reading requests of both processes", "", "", now.reads)
	b.report.add("restart: CPU of the controller", "s", "", now.cpu)
	return nil
}
