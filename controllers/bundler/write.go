// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundler

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/bundle"
)

// write creates a bundle, or patches the keys that change if the bundle still has the
// version that was read. A Secret's type cannot change and no two objects share a
// version, so the API server refuses to write to a foreign Secret of that name, even if
// the cache is behind.
func (r *Reconciler) write(ctx context.Context, s *scope, name string, p *plan, c change) applied {
	done := applied{wrote: true, together: len(c.drop)}
	stored, err := r.send(ctx, s, name, p, c)
	if err == nil && !r.asPlanned(stored, p) {
		err = errChanged
	}
	bundleWrites.WithLabelValues(r.Adapter.Name, outcomeLabel(err)).Inc()
	if stored != nil && stored.ResourceVersion != "" {
		r.own.note(s.namespace, name, ownWrite{version: stored.ResourceVersion, at: r.now()})
	}
	if err != nil {
		done.err = terminating(err)
		return done
	}
	done.newer = longer(p)
	return done
}

// send returns the bundle that the API server stored.
func (r *Reconciler) send(ctx context.Context, s *scope, name string, p *plan, c change) (*corev1.Secret, error) {
	if existing := s.existing[name]; existing != nil {
		return r.patch(ctx, existing, p, c.drop)
	}
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: s.namespace, Name: name,
			Labels: r.labels(), Annotations: p.annotations(),
		},
		Type: v1alpha1.SecretTypeBundle,
		Data: reveal(p),
	}
	err := r.Client.Create(ctx, secret, FieldOwner)
	if !apierrors.IsAlreadyExists(err) {
		return secret, err
	}
	// The cache does not have it yet, or it is not ours.
	live, readErr := r.bundleNow(ctx, s.namespace, name)
	if readErr != nil {
		return nil, readErr
	}
	if live == nil {
		return nil, err
	}
	var drop []string
	for key := range live.Data {
		if _, wanted := p.entries[key]; !wanted {
			drop = append(drop, key)
		}
	}
	return r.patch(ctx, live, p, drop)
}

func (r *Reconciler) labels() map[string]string {
	return map[string]string{v1alpha1.LabelBundle: r.Adapter.Name, "app.kubernetes.io/managed-by": "latchkey"}
}

func (p *plan) annotations() map[string]string {
	out := map[string]string{v1alpha1.AnnotationMAC: p.mac, v1alpha1.AnnotationRecord: p.text}
	if p.layout != "" {
		out[v1alpha1.AnnotationLayout] = p.layout
	}
	return out
}

// patch applies a plan to a bundle, if it still has the version that the plan was made
// for. A patch without field ownership also takes over keys that others own. All other
// content that others wrote on the bundle stays.
func (r *Reconciler) patch(ctx context.Context, was *corev1.Secret, p *plan, drop []string) (*corev1.Secret, error) {
	annotations := map[string]any{}
	for name, value := range p.annotations() {
		if was.Annotations[name] != value {
			annotations[name] = value
		}
	}
	if _, has := was.Annotations[v1alpha1.AnnotationLayout]; has && p.layout == "" {
		annotations[v1alpha1.AnnotationLayout] = nil
	}
	metadata := map[string]any{"uid": was.UID, "resourceVersion": was.ResourceVersion, "annotations": annotations}
	if was.Labels[v1alpha1.LabelBundle] != r.Adapter.Name {
		metadata["labels"] = r.labels()
	}
	body := map[string]any{"metadata": metadata}
	if data := dataOf(p, drop); len(data) > 0 {
		body["data"] = data
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("encode patch: %w", err)
	}
	stored := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: was.Namespace, Name: was.Name}}
	err = r.Client.Patch(ctx, stored, client.RawPatch(types.MergePatchType, raw), FieldOwner)
	return stored, err
}

func dataOf(p *plan, drop []string) map[string]any {
	data := make(map[string]any, len(p.values)+len(drop))
	for key, value := range p.values {
		data[key] = value.Reveal()
	}
	for _, key := range drop {
		data[key] = nil
	}
	return data
}

// reveal returns the values as bytes, for writing them.
func reveal(p *plan) map[string][]byte {
	out := make(map[string][]byte, len(p.values))
	for key, value := range p.values {
		out[key] = value.Reveal()
	}
	return out
}

// asPlanned reports whether a bundle was stored as planned, as far as the API server's
// answer shows.
func (r *Reconciler) asPlanned(stored *corev1.Secret, p *plan) bool {
	for name, value := range p.annotations() {
		if stored.Annotations[name] != value {
			return false
		}
	}
	for key, value := range stored.Data {
		if d, has := p.entries[key]; !has || d != bundle.EntryDigest(r.DigestKey, stored.Namespace, stored.Name, key, value) {
			return false
		}
	}
	return len(stored.Data) == len(p.entries)
}

// remove deletes a bundle without entries, unless it changed since it was read.
func (r *Reconciler) remove(ctx context.Context, existing *corev1.Secret) error {
	uid, version := existing.UID, existing.ResourceVersion
	err := r.Client.Delete(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: existing.Namespace, Name: existing.Name}},
		client.Preconditions{UID: &uid, ResourceVersion: &version})
	if client.IgnoreNotFound(err) != nil {
		bundleWrites.WithLabelValues(r.Adapter.Name, outcomeLabel(err)).Inc()
		return terminating(err)
	}
	r.own.note(existing.Namespace, existing.Name, ownWrite{version: version, deleted: true, at: r.now()})
	return nil
}
