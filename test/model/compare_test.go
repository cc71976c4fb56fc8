// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package model

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/bundle"
	"github.com/latchkey-dev/latchkey/test/framework"
)

// compare compares a tenant with its model.
func (r *run) compare(ctx context.Context, t *tenant) error {
	got := map[string]*corev1.Secret{}
	for _, name := range bundles {
		s := &corev1.Secret{}
		err := r.api.Get(ctx, client.ObjectKey{Namespace: t.namespace, Name: name}, s)
		if client.IgnoreNotFound(err) != nil {
			return err
		}
		if err == nil {
			got[name] = s
		}
		if err := t.compareBundle(name, got[name]); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(t.secrets)) {
		if err := r.compareStatus(ctx, t, t.secrets[name]); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	t.settled(func(bundle, key string) bool {
		s := got[bundle]
		if s == nil {
			return false
		}
		_, has := s.Data[key]
		return has
	})
	return nil
}

func (t *tenant) compareBundle(name string, got *corev1.Secret) error {
	if t.foreign[name] {
		if got == nil || got.Type == v1alpha1.SecretTypeBundle || len(got.Data) != 1 || string(got.Data["theirs"]) != foreignData["theirs"] {
			return errors.New("the foreign Secret is not as it was")
		}
		return nil
	}
	must, may := t.want(name)
	if got == nil {
		if len(must) > 0 {
			return fmt.Errorf("there is none, want %v", must)
		}
		return nil
	}
	if len(must)+len(may) == 0 || got.Type != v1alpha1.SecretTypeBundle || got.Labels[v1alpha1.LabelBundle] == "" {
		return fmt.Errorf("it is there with %d entries, type %s and labels %v; want %v", len(got.Data), got.Type, got.Labels, must)
	}
	has := map[string]string{}
	for key, value := range got.Data {
		if key == bundle.TreeKey && name == v1alpha1.BundleAgentFiles {
			continue
		}
		if v, ok := may[key]; ok && v == string(value) {
			continue
		}
		has[key] = string(value)
	}
	if !maps.Equal(has, must) {
		return fmt.Errorf("it has %v, want %v and perhaps %v", has, must, may)
	}
	if name != v1alpha1.BundleAgentFiles {
		return nil
	}
	var document map[string]string
	if err := json.Unmarshal(got.Data[bundle.TreeKey], &document); err != nil {
		return fmt.Errorf("document: %w", err)
	}
	for key := range may {
		if _, has := got.Data[key]; has {
			must[key] = may[key]
		}
	}
	if !maps.Equal(document, must) {
		return fmt.Errorf("the document has %v, want %v", document, must)
	}
	return nil
}

func (r *run) compareStatus(ctx context.Context, t *tenant, s *secret) error {
	var obj client.Object
	var status *v1alpha1.SecretStatus
	if s.agent {
		a := framework.AgentSecret(t.namespace, s.name, "", "")
		obj, status = a, &a.Status
	} else {
		u := framework.UserSecret(t.namespace, s.name, v1alpha1.UserSecretSpec{})
		obj, status = u, &u.Status
	}
	if err := r.api.Get(ctx, client.ObjectKeyFromObject(obj), obj); err != nil {
		return err
	}
	ready := apimeta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady)
	if ready == nil || ready.ObservedGeneration != obj.GetGeneration() {
		return errors.New("its status is not of its generation")
	}
	want := t.reason(s)
	if want != "" && ready.Reason != want {
		return fmt.Errorf("it says %s (%s), want %s", ready.Reason, ready.Message, want)
	}
	good := want == v1alpha1.ReasonProjected || want == v1alpha1.ReasonDisabled
	if want != "" && (ready.Status == metav1.ConditionTrue) != good {
		return fmt.Errorf("it is ready: %s, and says %s", ready.Status, want)
	}
	if want == v1alpha1.ReasonProjected && (status.Value == nil || status.Value.ChangedAt == nil) {
		return errors.New("it does not say when its value changed")
	}
	return nil
}
