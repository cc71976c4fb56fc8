// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/test/framework"
)

const (
	// small and large are how many secrets the tenants have that are compared.
	small, large = 5, 500
	// between is the pause between changes that are to find everything idle.
	between = 150 * time.Millisecond
	changes = 100
)

// tenant is a namespace with secrets of one kind, s0 and so on.
type tenant struct {
	namespace string
	agent     bool
}

// newTenant makes a namespace with n secrets that are all projected.
func (b *bench) newTenant(ctx context.Context, agent bool, n int) (tenant, error) {
	names, err := b.namespaces(ctx, 1)
	if err != nil {
		return tenant{}, err
	}
	t := tenant{names[0], agent}
	err = each(n, func(i int) error {
		name := "s" + strconv.Itoa(i)
		if agent {
			return b.Client.Create(ctx, framework.AgentSecret(t.namespace, name, `{"type":"Str"}`, strconv.Quote(sample), name))
		}
		return b.Client.Create(ctx, framework.UserSecret(t.namespace, name,
			v1alpha1.UserSecretSpec{Value: v1alpha1.WriteOnlyString(sample), EnvName: "S" + strconv.Itoa(i)}))
	})
	if err != nil {
		return t, err
	}
	return t, wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		for name := range t.keys() {
			secret := &corev1.Secret{}
			err := b.Client.Get(ctx, client.ObjectKey{Namespace: t.namespace, Name: name}, secret)
			if err != nil || len(secret.Data) < n {
				return false, client.IgnoreNotFound(err)
			}
		}
		return true, nil
	})
}

// keys are where the value of secret s0 lands, by bundle.
func (t tenant) keys() map[string]string {
	if t.agent {
		return map[string]string{v1alpha1.BundleAgentEnv: "S0", v1alpha1.BundleAgentFiles: "s0"}
	}
	return map[string]string{v1alpha1.BundleUserEnv: "S0"}
}

// change changes the value of secret s0 again and again, each time after everything has
// been idle for a while. It returns how long it took from the request until the native
// Secrets had the value, and what that cost.
func (b *bench) change(ctx context.Context, t tenant, n int) ([]time.Duration, counts, error) {
	watcher, err := client.NewWithWatch(b.Config, client.Options{Scheme: framework.NewScheme()})
	if err != nil {
		return nil, counts{}, err
	}
	events, err := watcher.Watch(ctx, &corev1.SecretList{}, client.InNamespace(t.namespace), client.HasLabels{v1alpha1.LabelBundle})
	if err != nil {
		return nil, counts{}, err
	}
	defer events.Stop()
	before, err := b.idle(ctx)
	if err != nil {
		return nil, counts{}, err
	}
	took := make([]time.Duration, n)
	for i := range took {
		<-time.After(between)
		if took[i], err = b.changeOnce(ctx, t, events); err != nil {
			return nil, counts{}, err
		}
	}
	after, err := b.idle(ctx)
	return took, after.since(before, n), err
}

func (b *bench) changeOnce(ctx context.Context, t tenant, events watch.Interface) (time.Duration, error) {
	b.serial++
	value := fmt.Sprintf("%s %d", sample, b.serial)
	var obj client.Object = &v1alpha1.UserSecret{}
	if t.agent {
		obj = &v1alpha1.AgentSecret{}
	}
	obj.SetNamespace(t.namespace)
	obj.SetName("s0")
	began := time.Now()
	if err := b.Client.Patch(ctx, obj, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"value":`+strconv.Quote(value)+`}}`))); err != nil {
		return 0, err
	}
	missing := t.keys()
	bound := time.After(30 * time.Second)
	for {
		select {
		case event, more := <-events.ResultChan():
			if !more {
				return 0, errors.New("a watch has ended")
			}
			if s, ok := event.Object.(*corev1.Secret); ok && string(s.Data[missing[s.Name]]) == value {
				delete(missing, s.Name)
			}
			if len(missing) == 0 {
				return time.Since(began), nil
			}
		case <-bound:
			return 0, errors.New("a change has not arrived within 30 s")
		}
	}
}

// growth compares one change in a small tenant with one in a large tenant, in rounds.
func (b *bench) growth(ctx context.Context, rounds int) error {
	user, err := b.newTenant(ctx, false, small)
	if err != nil {
		return err
	}
	few, err := b.newTenant(ctx, true, small)
	if err != nil {
		return err
	}
	many, err := b.newTenant(ctx, true, large)
	if err != nil {
		return err
	}
	for range rounds {
		took, _, err := b.change(ctx, user, changes)
		if err != nil {
			return err
		}
		b.report.add("one change at idle, request to native Secret, p50", "ms", "≤ 12", percentile(took, 50))
		b.report.add("one change at idle, request to native Secret, p99", "ms", "≤ 30", percentile(took, 99))
		inFew, costFew, err := b.change(ctx, few, changes)
		if err != nil {
			return err
		}
		inMany, costMany, err := b.change(ctx, many, changes)
		if err != nil {
			return err
		}
		what := fmt.Sprintf("one change of an agent's secret, tenant of %d over tenant of %d: ", large, small)
		b.report.add(what+"time, p50", "", "≤ 1.3", percentile(inMany, 50)/percentile(inFew, 50))
		b.report.add(what+"CPU of the controller", "", "", costMany.cpu/costFew.cpu)
		b.report.add(what+"allocations", "", "", costMany.allocations/costFew.allocations)
		b.report.add(what+"values opened", "", "1", costMany.opened/costFew.opened)
		b.report.add(what+"writing requests", "", "1", costMany.writes/costFew.writes)
		bareFew, err := b.bareGrowth(ctx, small, changes)
		if err != nil {
			return err
		}
		bareMany, err := b.bareGrowth(ctx, large, changes)
		if err != nil {
			return err
		}
		b.report.add(fmt.Sprintf("a bare client's change of a key in two Secrets of %d over of %d: time, p50", large, small), "", "",
			percentile(bareMany, 50)/percentile(bareFew, 50))
		b.report.add(fmt.Sprintf("… of %d keys, p50", small), "ms", "", percentile(bareFew, 50))
		b.report.add(fmt.Sprintf("… of %d keys, p50", large), "ms", "", percentile(bareMany, 50))
		b.report.add(fmt.Sprintf("… in a tenant of %d, p50", small), "ms", "", percentile(inFew, 50))
		b.report.add(fmt.Sprintf("… in a tenant of %d, p50", large), "ms", "", percentile(inMany, 50))
	}
	return nil
}
