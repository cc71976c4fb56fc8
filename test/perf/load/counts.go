// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/latchkey-dev/latchkey/test/framework"
)

// counts are what the processes count of their own work.
type counts struct {
	opened, bundles  float64 // values opened, bundles written
	writes, reads    float64 // requests of both processes that can change something, and that cannot
	allocations, cpu float64 // of the controller, the latter in seconds
	serverCPU        float64
	// memory, in MiB: resident, and of the heap what is in use and not garbage.
	controllerMiB, serverMiB, controllerLive, serverLive float64
}

// count reads the counts.
func (b *bench) count(ctx context.Context) (counts, error) {
	var c counts
	controller, err := b.Controller.Metrics(ctx)
	if err != nil {
		return c, err
	}
	server, err := b.Server.Metrics(ctx)
	if err != nil {
		return c, err
	}
	sum := func(m framework.Metrics, name string, labels ...string) float64 {
		v, _ := m.Sum(name, labels...)
		return v
	}
	// A server's PUTs are left out: it renews its Lease by them and sends no others. The
	// controller leads without a Lease here.
	for _, method := range []string{"POST", "PATCH", "DELETE"} {
		c.writes += sum(controller, "rest_client_requests_total", "method", method) + sum(server, "rest_client_requests_total", "method", method)
	}
	c.writes += sum(controller, "rest_client_requests_total", "method", "PUT")
	c.reads = sum(controller, "rest_client_requests_total", "method", "GET") + sum(server, "rest_client_requests_total", "method", "GET")
	c.opened = sum(controller, "latchkey_opened_values_total")
	c.bundles = sum(controller, "latchkey_bundle_writes_total")
	c.allocations = sum(controller, "go_memstats_mallocs_total")
	c.cpu = sum(controller, "process_cpu_seconds_total")
	c.serverCPU = sum(server, "process_cpu_seconds_total")
	c.controllerMiB = sum(controller, "process_resident_memory_bytes") / (1 << 20)
	c.serverMiB = sum(server, "process_resident_memory_bytes") / (1 << 20)
	live := func(m framework.Metrics) float64 {
		return sum(m, "go_memstats_next_gc_bytes") / (1 + sum(m, "go_gc_gogc_percent")/100) / (1 << 20)
	}
	c.controllerLive, c.serverLive = live(controller), live(server)
	return c, nil
}

// since returns what was counted since before, for each of n; memory stays as it is.
func (c counts) since(before counts, n int) counts {
	per := 1 / float64(n)
	return counts{
		opened: (c.opened - before.opened) * per, bundles: (c.bundles - before.bundles) * per,
		writes: (c.writes - before.writes) * per, reads: (c.reads - before.reads) * per,
		allocations: (c.allocations - before.allocations) * per,
		cpu:         (c.cpu - before.cpu) * per, serverCPU: (c.serverCPU - before.serverCPU) * per,
		controllerMiB: c.controllerMiB, serverMiB: c.serverMiB, controllerLive: c.controllerLive, serverLive: c.serverLive,
	}
}

// idle waits until the controller has had nothing to do for a while.
func (b *bench) idle(ctx context.Context) (counts, error) {
	last, err := b.count(ctx)
	for quiet := 0; quiet < 5 && err == nil; {
		<-time.After(300 * time.Millisecond)
		var now counts
		if now, err = b.count(ctx); now.bundles != last.bundles || now.opened != last.opened || now.writes != last.writes || now.cpu-last.cpu > 0.05 {
			quiet = 0
		} else {
			quiet++
		}
		last = now
	}
	return last, err
}

// memoryMiB returns a figure of a process's memory: VmRSS, or VmHWM for the most it had.
func memoryMiB(pid int, what string) float64 {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, what+":"); ok {
			kib, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kib / 1024
		}
	}
	return 0
}
