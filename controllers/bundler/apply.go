// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundler

import (
	"bytes"
	"context"
	"errors"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/bundle"
)

// apply writes the bundles whose contents differ from what is there. That one cannot be
// written does not stop the other.
func (r *Reconciler) apply(ctx context.Context, s *scope) error {
	if s.contents == nil {
		return nil // the memo found all in step, or it is too early to try again
	}
	for _, name := range []string{r.Adapter.EnvBundle, r.Adapter.FilesBundle} {
		existing, mac := s.existing[name], s.memo.macs[name]
		if upToDate(existing, mac, s.memo.records[name], r.Adapter.Name) {
			continue
		}
		var err error
		if mac == "" {
			err = r.remove(ctx, existing)
		} else {
			err = r.write(ctx, s, name, mac)
		}
		if namespaceGone(err) {
			return err
		}
		if err != nil {
			r.suffer(ctx, s, name, err)
			ctrl.LoggerFrom(ctx).Info("Bundle not written", "secret", name, "answer", answerOf(err), "blocked", s.setback.failures[name].blocked)
		}
	}
	s.memo.setback = s.setback
	if s.setback != nil && s.setback.blockedOnly() {
		r.memos.forget(s.namespace) // so the next reconcile tries again, whenever it comes
		return nil
	}
	r.memos.put(s.namespace, s.memo)
	return nil
}

// upToDate reports whether a bundle as cached has the content that mac stands for, and
// says how it came to be.
func upToDate(existing *corev1.Secret, mac string, record *bundle.Record, label string) bool {
	if existing == nil || mac == "" {
		return existing == nil && mac == ""
	}
	return existing.StringData[cachedMAC] == mac &&
		existing.Annotations[v1alpha1.AnnotationMAC] == mac &&
		existing.Annotations[v1alpha1.AnnotationRecord] == record.String() &&
		existing.Labels[v1alpha1.LabelBundle] == label
}

// write applies one bundle. Its type is Latchkey's own and a Secret's type cannot
// change: where a foreign Secret has the name, the API server refuses the apply
// whole, whatever our caches have or have not seen yet.
func (r *Reconciler) write(ctx context.Context, s *scope, name, mac string) error {
	c := s.contents[name]
	annotations := map[string]string{v1alpha1.AnnotationMAC: mac, v1alpha1.AnnotationRecord: s.memo.records[name].String()}
	if layout := r.layout(s.namespace, name, c); layout != "" {
		annotations[v1alpha1.AnnotationLayout] = layout
	}
	secret := corev1ac.Secret(name, s.namespace).
		WithType(v1alpha1.SecretTypeBundle).
		WithLabels(map[string]string{
			v1alpha1.LabelBundle:           r.Adapter.Name,
			"app.kubernetes.io/managed-by": "latchkey",
		}).
		WithAnnotations(annotations).
		WithData(reveal(c))
	err := r.Client.Apply(ctx, secret, FieldOwner, client.ForceOwnership)
	stripped := false
	if err == nil {
		stripped, err = r.strip(ctx, secret, c)
	}
	if err == nil && (!stored(secret, c, annotations) || !stripped && unmoved(secret, s.existing[name])) {
		err = errChanged
	}
	bundleWrites.WithLabelValues(r.Adapter.Name, outcomeLabel(err)).Inc()
	if err != nil {
		return terminating(err)
	}
	return nil
}

// stored reports whether a bundle is stored as it was sent, as far as the API server's
// answer shows it.
func stored(applied *corev1ac.SecretApplyConfiguration, c bundle.Contents, annotations map[string]string) bool {
	for key, value := range c.Data {
		if !bytes.Equal(applied.Data[key], value.Reveal()) {
			return false
		}
	}
	for key, value := range annotations {
		if applied.Annotations[key] != value {
			return false
		}
	}
	return true
}

// unmoved reports whether applying changed nothing of a bundle that is not up to date.
// Something then leaves out on the way what was sent, which the answer does not show: it
// is laid over what was sent.
func unmoved(applied *corev1ac.SecretApplyConfiguration, before *corev1.Secret) bool {
	return before != nil && applied.ResourceVersion != nil && *applied.ResourceVersion == before.ResourceVersion
}

// remove deletes a bundle that nothing is in any more, unless it changed since it
// was read.
func (r *Reconciler) remove(ctx context.Context, existing *corev1.Secret) error {
	if existing == nil {
		return nil
	}
	uid, version := existing.UID, existing.ResourceVersion
	err := r.Client.Delete(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: existing.Namespace, Name: existing.Name}},
		client.Preconditions{UID: &uid, ResourceVersion: &version})
	if client.IgnoreNotFound(err) != nil {
		bundleWrites.WithLabelValues(r.Adapter.Name, outcomeLabel(err)).Inc()
		return terminating(err)
	}
	return nil
}

// goneError is a write that failed because its namespace is being deleted.
type goneError struct{ err error }

func (e *goneError) Error() string { return e.err.Error() }
func (e *goneError) Unwrap() error { return e.err }

func terminating(err error) error {
	var answer apierrors.APIStatus
	gone := apierrors.IsNotFound(err) && errors.As(err, &answer) &&
		answer.Status().Details != nil && answer.Status().Details.Kind == "namespaces"
	if gone || apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return &goneError{err: err}
	}
	return err
}
