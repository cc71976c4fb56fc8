// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	_ "embed"
	"fmt"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/latchkey-dev/latchkey/test/framework"
)

// bareDefinition is of a custom resource with a value and a status, and nothing else:
// no rules, no admission, nobody who watches.
//
//go:embed bare.yaml
var bareDefinition []byte

var bareKind = schema.GroupVersionKind{Group: "bench.latchkey.dev", Version: "v1", Kind: "Bare"}

// defineBare makes the API server serve the kind. It stays, as the namespaces do: with
// it go its objects, which costs time.
func defineBare(ctx context.Context, c client.Client) error {
	definition := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(bareDefinition, definition); err != nil {
		return err
	}
	if err := c.Create(ctx, definition); err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	return wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, 30*time.Second, true, func(ctx context.Context) (bool, error) {
		return c.Create(ctx, bareObject("default", "probe"), client.DryRunAll) == nil, nil
	})
}

func bareObject(namespace, name string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"value": sample}}}
	o.SetGroupVersionKind(bareKind)
	o.SetNamespace(namespace)
	o.SetName(name)
	return o
}

// bare writes for each object what an operator writes that treats every object by itself,
// and returns how many in a second.
func (b *bench) bare(ctx context.Context, n int) (float64, error) {
	namespaces, err := b.namespaces(ctx, n/perTenant)
	if err != nil {
		return 0, err
	}
	c, began := b.Client, time.Now()
	err = each(n, func(i int) error {
		o := bareObject(namespaces[i%len(namespaces)], fmt.Sprintf("o%d", i))
		if err := c.Create(ctx, o); err != nil {
			return err
		}
		at := metav1.ObjectMeta{Namespace: o.GetNamespace(), Name: o.GetName()}
		if err := c.Create(ctx, &corev1.Secret{ObjectMeta: at, StringData: map[string]string{"value": sample}}); err != nil {
			return err
		}
		o.Object["status"] = map[string]any{"conditions": []any{map[string]any{
			"type": "Ready", "status": "True", "reason": "Projected", "message": "",
			"lastTransitionTime": time.Now().UTC().Format(time.RFC3339), "observedGeneration": int64(1),
		}}}
		return c.Status().Update(ctx, o)
	})
	return float64(n) / time.Since(began).Seconds(), err
}

// bareGrowth is what a change of one key of two Secrets takes a bare client, one after the
// other, from the request until a watch has both: the part of a change in a bundle that
// grows with what else is in it, whatever its author.
func (b *bench) bareGrowth(ctx context.Context, keys, n int) ([]time.Duration, error) {
	namespaces, err := b.namespaces(ctx, 1)
	if err != nil {
		return nil, err
	}
	data := map[string]string{}
	for i := range keys {
		data["S"+strconv.Itoa(i)] = sample
	}
	for _, name := range []string{"a", "b"} {
		if err := b.Client.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespaces[0], Name: name}, StringData: data}); err != nil {
			return nil, err
		}
	}
	watcher, err := client.NewWithWatch(b.Config, client.Options{Scheme: framework.NewScheme()})
	if err != nil {
		return nil, err
	}
	events, err := watcher.Watch(ctx, &corev1.SecretList{}, client.InNamespace(namespaces[0]))
	if err != nil {
		return nil, err
	}
	defer events.Stop()
	took := make([]time.Duration, n)
	for i := range took {
		<-time.After(between)
		value := fmt.Sprint(sample, i)
		began := time.Now()
		for _, name := range []string{"a", "b"} {
			patch := client.RawPatch(types.MergePatchType, []byte(`{"stringData":{"S0":`+strconv.Quote(value)+`}}`))
			if err := b.Client.Patch(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespaces[0], Name: name}}, patch); err != nil {
				return nil, err
			}
		}
		for event := range events.ResultChan() {
			if s, ok := event.Object.(*corev1.Secret); ok && s.Name == "b" && string(s.Data["S0"]) == value {
				break
			}
		}
		took[i] = time.Since(began)
	}
	return took, nil
}
