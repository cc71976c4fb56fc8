// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package aggregation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/internal/certs"
)

const (
	// ServiceName is the Service of the servers, which the APIServices name.
	ServiceName = "latchkey-server"
	// ConfigMapName is the ConfigMap that stores the unregistered APIServices: a key
	// for each, its value the object in JSON.
	ConfigMapName = "latchkey-unregistered-apis"
)

var kind = schema.GroupVersionKind{Group: "apiregistration.k8s.io", Version: "v1", Kind: "APIService"}

// unregister saves and deletes the APIServices that lead to a server.
func (r *Reconciler) unregister(ctx context.Context) error {
	found := map[string]*unstructured.Unstructured{}
	var gone []string
	for _, name := range certs.APIServices() {
		o := &unstructured.Unstructured{}
		o.SetGroupVersionKind(kind)
		err := r.Live.Get(ctx, client.ObjectKey{Name: name}, o)
		if apierrors.IsNotFound(err) {
			gone = append(gone, name)
			continue
		}
		if err != nil {
			return fmt.Errorf("read APIService %s: %w", name, err)
		}
		if r.isOurs(o) && !leaves(o) {
			found[name] = o
		}
	}
	if err := r.recall(ctx, gone); err != nil || len(found) == 0 {
		return err
	}
	if err := r.writeDown(ctx, found); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		o := found[name]
		// Delete the version that was saved, and no other.
		err := r.Live.Delete(ctx, o, client.Preconditions{UID: ptr.To(o.GetUID()), ResourceVersion: ptr.To(o.GetResourceVersion())})
		if err := client.IgnoreNotFound(err); err != nil {
			return fmt.Errorf("delete APIService %s: %w", name, err)
		}
		r.Seen.forget(name) // from now on, the ConfigMap has it
		unregistered.WithLabelValues(name).Set(1)
		ctrl.LoggerFrom(ctx).Info("Unregistered an aggregated API because no server is ready", "apiservice", name)
	}
	return nil
}

// recall sets the metric for the APIServices that an earlier leader unregistered.
func (r *Reconciler) recall(ctx context.Context, gone []string) error {
	if len(gone) == 0 {
		return nil
	}
	saved, err := r.saved(ctx)
	if saved == nil || err != nil {
		return err
	}
	for _, name := range gone {
		if _, ours := saved.Data[name]; ours {
			unregistered.WithLabelValues(name).Set(1)
		}
	}
	return nil
}

// isOurs reports whether an APIService leads to Latchkey's servers.
func (r *Reconciler) isOurs(o *unstructured.Unstructured) bool {
	name, _, _ := unstructured.NestedString(o.Object, "spec", "service", "name")
	namespace, _, _ := unstructured.NestedString(o.Object, "spec", "service", "namespace")
	return name == ServiceName && namespace == r.Namespace
}

// writeDown saves APIServices in the ConfigMap, in place of what was saved under their
// names before.
func (r *Reconciler) writeDown(ctx context.Context, found map[string]*unstructured.Unstructured) error {
	data := map[string]string{}
	for name, o := range found {
		k, err := save(o)
		if err == nil {
			data[name], err = k.text()
		}
		if err != nil {
			return fmt.Errorf("save APIService %s: %w", name, err)
		}
	}
	saved, err := r.saved(ctx)
	if err != nil {
		return err
	}
	if saved == nil {
		saved = &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: r.Namespace, Name: ConfigMapName,
				Labels: map[string]string{"app.kubernetes.io/managed-by": "latchkey"},
			},
			Data: data,
		}
		err = r.Live.Create(ctx, saved)
	} else {
		if saved.Data == nil {
			saved.Data = map[string]string{}
		}
		maps.Copy(saved.Data, data)
		err = r.Live.Update(ctx, saved)
	}
	if err != nil {
		return fmt.Errorf("write ConfigMap %s: %w", ConfigMapName, err)
	}
	return nil
}

// saved reads the ConfigMap; it returns nil if it does not exist.
func (r *Reconciler) saved(ctx context.Context) (*corev1.ConfigMap, error) {
	saved := &corev1.ConfigMap{}
	err := r.Live.Get(ctx, client.ObjectKey{Namespace: r.Namespace, Name: ConfigMapName}, saved)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read ConfigMap %s: %w", ConfigMapName, err)
	}
	return saved, nil
}

// restore applies the saved APIServices that are missing, and removes them from the
// ConfigMap.
func (r *Reconciler) restore(ctx context.Context) error {
	saved, err := r.saved(ctx)
	if err != nil || saved == nil || len(saved.Data) == 0 {
		return err
	}
	var errs []error
	before := len(saved.Data)
	for _, name := range certs.APIServices() { // no other key is restored, even if someone wrote one
		text, ok := saved.Data[name]
		if !ok {
			continue
		}
		if err := r.restoreOne(ctx, name, text); err != nil {
			errs = append(errs, err)
			continue
		}
		delete(saved.Data, name)
		unregistered.WithLabelValues(name).Set(0)
	}
	if len(saved.Data) < before {
		if err := r.Live.Update(ctx, saved); err != nil {
			errs = append(errs, fmt.Errorf("write ConfigMap %s: %w", ConfigMapName, err))
		}
	}
	return errors.Join(errs...)
}

func (r *Reconciler) restoreOne(ctx context.Context, name, text string) error {
	saved, err := readAPI(name, text)
	if err != nil || !r.isOurs(saved.Object) {
		return fmt.Errorf("ConfigMap %s has no saved APIService under %s: apply Latchkey's manifests to get that API back, and delete the ConfigMap", ConfigMapName, name)
	}
	there := &unstructured.Unstructured{}
	there.SetGroupVersionKind(kind)
	err = r.Live.Get(ctx, client.ObjectKey{Name: name}, there)
	if err == nil {
		return nil
	}
	if !apierrors.IsNotFound(err) {
		return fmt.Errorf("read APIService %s: %w", name, err)
	}
	if err := r.apply(ctx, saved); err != nil {
		return err
	}
	ctrl.LoggerFrom(ctx).Info("Registered an aggregated API again because a server is ready", "apiservice", name)
	return nil
}
