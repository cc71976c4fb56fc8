// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package admissionpath_test

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/yaml"

	"github.com/latchkey-dev/latchkey/controllers/admissionpath"
	"github.com/latchkey-dev/latchkey/internal/admissionport"
	"github.com/latchkey-dev/latchkey/internal/certs"
)

const namespace = "latchkey-system"

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// world is a cluster with a webhook configuration as the manifests have it.
type world struct {
	*testing.T
	client.Client
	clock      *clocktesting.FakePassiveClock
	reconciler *admissionpath.Reconciler
}

func newWorld(t *testing.T) *world {
	t.Helper()
	hook := func(name string) admissionregistrationv1.MutatingWebhook {
		return admissionregistrationv1.MutatingWebhook{Name: name, ClientConfig: admissionregistrationv1.WebhookClientConfig{
			Service: &admissionregistrationv1.ServiceReference{Namespace: namespace, Name: "latchkey-webhook"},
		}}
	}
	c := fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).WithObjects(
		&admissionregistrationv1.MutatingWebhookConfiguration{
			ObjectMeta: metav1.ObjectMeta{Name: certs.WebhookConfiguration},
			Webhooks: []admissionregistrationv1.MutatingWebhook{
				hook("usersecrets.latchkey.dev"), hook("agentsecrets.latchkey.dev"), hook("pods.latchkey.dev"), hook("somebody.else"),
			},
		},
	).Build()
	clock := clocktesting.NewFakePassiveClock(start)
	return &world{t, c, clock, &admissionpath.Reconciler{Live: c, Clock: clock, Namespace: namespace}}
}

// after lets time pass and reconciles, as often as the reconciler wants it at once.
func (w *world) after(d time.Duration) reconcile.Result {
	w.Helper()
	w.clock.SetTime(w.clock.Now().Add(d))
	result, err := w.reconciler.Reconcile(w.Context(), reconcile.Request{})
	if err != nil {
		w.Fatal(err)
	}
	return result
}

func (w *world) state() admissionport.State {
	w.Helper()
	secret := &corev1.Secret{}
	if err := w.Get(w.Context(), client.ObjectKey{Namespace: namespace, Name: admissionport.SecretName}, secret); err != nil {
		w.Fatal(err)
	}
	state, ok := admissionport.ParseState(secret.Data)
	if !ok {
		w.Fatal("the Secret cannot be read")
	}
	return state
}

// named returns the segment that all webhooks of Latchkey's name.
func (w *world) named() string {
	w.Helper()
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{}
	if err := w.Get(w.Context(), client.ObjectKey{Name: certs.WebhookConfiguration}, configuration); err != nil {
		w.Fatal(err)
	}
	found := map[string]bool{}
	for _, hook := range configuration.Webhooks {
		where, ours := admissionport.Hooks()[hook.Name]
		if path := hook.ClientConfig.Service.Path; ours && path != nil && strings.HasSuffix(*path, where) {
			found[strings.TrimPrefix(strings.TrimSuffix(*path, where), "/")] = true
		} else if ours || path != nil {
			w.Errorf("webhook %s has path %v", hook.Name, path)
		}
	}
	if len(found) != 1 {
		w.Fatalf("the webhooks name %v, want one segment", found)
	}
	for segment := range found {
		return segment
	}
	return ""
}

func (w *world) certificate(content string) {
	w.Helper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: certs.SecretName}}
	if err := client.IgnoreNotFound(w.Delete(w.Context(), secret)); err != nil {
		w.Fatal(err)
	}
	secret.ResourceVersion, secret.Data = "", map[string][]byte{"tls.crt": []byte(content)}
	if err := w.Create(w.Context(), secret); err != nil {
		w.Fatal(err)
	}
}

func TestReconcile_FirstTime_NamesThePathAtOnceAndThenIsQuiet(t *testing.T) {
	w := newWorld(t)
	w.after(0)
	first := w.state()
	if got := w.named(); got != string(first.Current.Reveal()) || first.Previous.Len() > 0 {
		t.Error("the configuration does not name the path")
	}
	w.certificate("first")
	w.after(admissionpath.Overlap + time.Second)
	if result := w.after(time.Minute); !w.state().Current.Equal(first.Current) || result.RequeueAfter <= 0 {
		t.Errorf("a first certificate makes a new path; next look in %s", result.RequeueAfter)
	}
}

func TestReconcile_PathIsOld_ServersKnowItsSuccessorFirst(t *testing.T) {
	for name, due := range map[string]func(*world){
		"after an hour":                   func(w *world) { w.after(admissionpath.Rotation) },
		"when the certificate is renewed": func(w *world) { w.certificate("second"); w.after(2 * time.Minute) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.certificate("first")
			w.after(0)
			first := string(w.state().Current.Reveal())
			due(w)
			second := w.state()
			if string(second.Previous.Reveal()) != first || string(second.Current.Reveal()) == first {
				t.Fatal("there is no successor, or the one before is not honoured any more")
			}
			if w.named() != first {
				t.Error("the configuration names a path that servers may not know yet")
			}
			result := w.after(admissionpath.Propagation - time.Second)
			if w.named() != first || result.RequeueAfter != time.Second {
				t.Errorf("named too early, or looked at again in %s", result.RequeueAfter)
			}
			w.after(result.RequeueAfter)
			if w.named() != string(second.Current.Reveal()) {
				t.Error("the configuration never names the new path")
			}
			w.certificate("third")
			if result := w.after(time.Second); result.RequeueAfter <= 0 || !w.state().Current.Equal(second.Current) {
				t.Errorf("the path before is given up before API servers know the new one; next look in %s", result.RequeueAfter)
			}
		})
	}
}

func TestReconcile_ConfigurationIsNotUpToDate_NoSuccessorIsMade(t *testing.T) {
	w := newWorld(t)
	w.after(0)
	first := w.state()
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: certs.WebhookConfiguration}}
	if err := w.Delete(w.Context(), configuration); err != nil {
		t.Fatal(err)
	}
	w.after(2 * admissionpath.Rotation)
	if !w.state().Current.Equal(first.Current) {
		t.Error("a path that nobody named yet was replaced")
	}
}

func TestReconcile_SecretIsGone_WhatTheConfigurationNamesStaysHonoured(t *testing.T) {
	w := newWorld(t)
	w.after(0)
	first := w.named()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: admissionport.SecretName}}
	if err := w.Delete(w.Context(), secret); err != nil {
		t.Fatal(err)
	}
	w.after(time.Second)
	if got := w.state(); string(got.Previous.Reveal()) != first || string(got.Current.Reveal()) == first || w.named() != first {
		t.Error("admission fails until the configuration has reached every API server")
	}
	w.after(admissionpath.Propagation)
	if w.named() == first {
		t.Error("the configuration keeps the path that was deleted")
	}
}

func TestReconcile_ClockWentBack_ThePathStillGetsOld(t *testing.T) {
	w := newWorld(t)
	w.after(0)
	first := w.state()
	w.after(-24 * time.Hour)
	if !w.state().Current.Equal(first.Current) {
		t.Error("a clock that differs makes a new path")
	}
	w.after(admissionpath.Rotation)
	if w.state().Current.Equal(first.Current) {
		t.Error("the path is kept until the clock is right again")
	}
}

// TestHooks_EveryWebhookOfTheManifests_HasItsPathFromTheController: one that it does not
// know would be answered 404, and one that names a path would lose the secret with every
// upgrade.
func TestHooks_EveryWebhookOfTheManifests_HasItsPathFromTheController(t *testing.T) {
	text, err := os.ReadFile("../../config/webhook/manifests.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var configuration admissionregistrationv1.MutatingWebhookConfiguration
	if err := yaml.UnmarshalStrict(text, &configuration); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, hook := range configuration.Webhooks {
		got = append(got, hook.Name)
		if path := hook.ClientConfig.Service.Path; path != nil {
			t.Errorf("webhook %s names a path: %s", hook.Name, *path)
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(admissionport.Hooks())), got); diff != "" {
		t.Errorf("webhooks (-the controller's +the manifests'):\n%s", diff)
	}
}
