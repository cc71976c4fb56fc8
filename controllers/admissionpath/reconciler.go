// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package admissionpath

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/latchkey-dev/latchkey/internal/admissionport"
	"github.com/latchkey-dev/latchkey/internal/certs"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

const (
	// Rotation is the age at which a path is replaced.
	Rotation = time.Hour
	// Propagation is how long servers have to learn a new path before the configuration
	// names it. A watch takes milliseconds.
	Propagation = 5 * time.Second
	// Overlap is the minimum time for which a path is accepted after the configuration
	// stopped naming it. API servers learn the configuration by a watch, too.
	Overlap = time.Minute
)

const fieldOwner = "latchkey"

// Reconciler maintains the path. It is used by one worker.
type Reconciler struct {
	// Live reads and writes the Secret and the webhook configuration.
	Live client.Client
	// Clock tells the time.
	Clock clock.PassiveClock
	// Namespace is Latchkey's own.
	Namespace string
}

// Reconcile brings the Secret and then the configuration up to date.
func (r *Reconciler) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{}
	err := r.Live.Get(ctx, client.ObjectKey{Name: certs.WebhookConfiguration}, configuration)
	if client.IgnoreNotFound(err) != nil {
		return reconcile.Result{}, fmt.Errorf("read the webhook configuration: %w", err)
	}
	certificate, err := r.certificate(ctx)
	if err != nil {
		return reconcile.Result{}, err
	}
	state, err := r.state(ctx, configuration, certificate)
	if err != nil {
		return reconcile.Result{}, err
	}
	age := r.Clock.Since(state.Since)
	named, wait := state.Current, untilDue(state, certificate, age)
	if age < Propagation && state.Previous.Len() > 0 {
		named, wait = state.Previous, Propagation-age
	}
	return reconcile.Result{RequeueAfter: wait}, r.name(ctx, configuration, named)
}

// certificate returns a digest of the serving certificate, or "" if it does not exist
// yet.
func (r *Reconciler) certificate(ctx context.Context) (string, error) {
	secret := &corev1.Secret{}
	err := r.Live.Get(ctx, client.ObjectKey{Namespace: r.Namespace, Name: certs.SecretName}, secret)
	if client.IgnoreNotFound(err) != nil {
		return "", fmt.Errorf("read Secret %s: %w", certs.SecretName, err)
	}
	if len(secret.Data[corev1.TLSCertKey]) == 0 {
		return "", nil
	}
	sum := sha256.Sum256(secret.Data[corev1.TLSCertKey])
	return hex.EncodeToString(sum[:]), nil
}

// untilDue returns how long it is until a path of that age is replaced. It is 0 or
// negative when the replacement is due.
func untilDue(s admissionport.State, certificate string, age time.Duration) time.Duration {
	if certificate != "" && certificate != s.Certificate {
		return Propagation + Overlap - age
	}
	return Rotation - age
}

// state returns the content of the Secret, after it has created or replaced it as
// needed.
func (r *Reconciler) state(ctx context.Context, configuration *admissionregistrationv1.MutatingWebhookConfiguration, certificate string) (admissionport.State, error) {
	now := r.Clock.Now()
	secret := &corev1.Secret{}
	err := r.Live.Get(ctx, client.ObjectKey{Namespace: r.Namespace, Name: admissionport.SecretName}, secret)
	if client.IgnoreNotFound(err) != nil {
		return admissionport.State{}, fmt.Errorf("read Secret %s: %w", admissionport.SecretName, err)
	}
	missing := apierrors.IsNotFound(err)
	state, ok := admissionport.ParseState(secret.Data)
	age := now.Sub(state.Since)
	switch {
	case missing || !ok: // the servers may still accept the path that the configuration names
		state = admissionport.State{Current: admissionport.NewSegment(), Previous: namedBy(configuration), Since: now, Certificate: certificate}
	case state.Certificate == "" && certificate != "": // the path is as new as the first certificate
		state.Certificate = certificate
	case age < 0: // the clock was set back, or another leader's clock is ahead
		state.Since = now
	case untilDue(state, certificate, age) <= 0 && namedBy(configuration).Equal(state.Current):
		state = admissionport.State{Current: admissionport.NewSegment(), Previous: state.Current, Since: now, Certificate: certificate}
		ctrl.LoggerFrom(ctx).Info("Made a new admission path")
	default:
		return state, nil
	}
	// Rounded to the second, as it is stored.
	state.Since = state.Since.Truncate(time.Second)
	return state, r.save(ctx, secret, missing, state)
}

// save writes the Secret, unless it was changed since it was read.
func (r *Reconciler) save(ctx context.Context, secret *corev1.Secret, missing bool, state admissionport.State) error {
	var err error
	if missing {
		err = r.Live.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: r.Namespace, Name: admissionport.SecretName,
				Labels: map[string]string{"app.kubernetes.io/managed-by": "latchkey"},
			},
			Data: state.Data(),
		})
	} else {
		was := secret.DeepCopy()
		secret.Data = state.Data()
		err = r.Live.Patch(ctx, secret, client.MergeFromWithOptions(was, client.MergeFromWithOptimisticLock{}), client.FieldOwner(fieldOwner))
	}
	if err != nil {
		return fmt.Errorf("write Secret %s: %w", admissionport.SecretName, err)
	}
	return nil
}

// hooks yields, for each of Latchkey's webhooks in a configuration, its service and the
// path of the hook.
func hooks(configuration *admissionregistrationv1.MutatingWebhookConfiguration, yield func(service *admissionregistrationv1.ServiceReference, hook string)) {
	for i := range configuration.Webhooks {
		w := &configuration.Webhooks[i]
		if hook, ours := admissionport.Hooks()[w.Name]; ours && w.ClientConfig.Service != nil {
			yield(w.ClientConfig.Service, hook)
		}
	}
}

// namedBy returns the segment that all webhooks of a configuration name, or the empty
// value.
func namedBy(configuration *admissionregistrationv1.MutatingWebhookConfiguration) seal.Value {
	var named []seal.Value
	hooks(configuration, func(service *admissionregistrationv1.ServiceReference, hook string) {
		named = append(named, admissionport.ParseSegment(ptr.Deref(service.Path, ""), hook))
	})
	for _, s := range named {
		if !s.Equal(named[0]) {
			return seal.Value{}
		}
	}
	if len(named) == 0 {
		return seal.Value{}
	}
	return named[0]
}

// name writes a segment into all webhooks of a configuration.
func (r *Reconciler) name(ctx context.Context, configuration *admissionregistrationv1.MutatingWebhookConfiguration, segment seal.Value) error {
	changed := false
	hooks(configuration, func(service *admissionregistrationv1.ServiceReference, hook string) {
		if path := admissionport.Path(segment, hook); ptr.Deref(service.Path, "") != path {
			service.Path, changed = &path, true
		}
	})
	if !changed {
		return nil
	}
	if err := r.Live.Update(ctx, configuration, client.FieldOwner(fieldOwner)); err != nil {
		return fmt.Errorf("write the admission path into the webhook configuration: %w", err)
	}
	return nil
}
