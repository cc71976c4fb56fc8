// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package pod

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/bundle"
	"github.com/latchkey-dev/latchkey/internal/policy"
	"github.com/latchkey-dev/latchkey/internal/projector"
)

// content returns what the tenant's bundles contain or will contain in a moment. It is
// computed from the objects by the controller's own rules. Their status and the bundles
// may be outdated, and the server has no right to read the bundles.
func (h *Handler) content(ctx context.Context, namespace string) (projector.Content, error) {
	// Read only: nothing below may change the lists, which share memory with the cache.
	users, agents := &v1alpha1.UserSecretList{}, &v1alpha1.AgentSecretList{}
	if err := h.Reader.List(ctx, users, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return projector.Content{}, fmt.Errorf("list UserSecrets: %w", err)
	}
	if err := h.Reader.List(ctx, agents, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return projector.Content{}, fmt.Errorf("list AgentSecrets: %w", err)
	}
	labels, err := h.labels(ctx, namespace)
	if err != nil {
		return projector.Content{}, err
	}
	var content projector.Content
	// A bundle is named even if it is empty, so that the first secret appears in the
	// live directory of a running pod.
	visible := policy.Visible(users.Items)
	if labels[v1alpha1.LabelUser] != "" || len(visible) > 0 {
		content.UserEnv, content.UserFiles = v1alpha1.BundleUserEnv, v1alpha1.BundleUserFiles
		content.Files = h.memo.files(namespace, visible, h.approved, func() []projector.File { return h.files(visible) })
	}
	if labels[v1alpha1.LabelEnvironment] != "" || slices.ContainsFunc(agents.Items, isLive) {
		content.AgentEnv, content.AgentFiles = v1alpha1.BundleAgentEnv, v1alpha1.BundleAgentFiles
	}
	return content, nil
}

// approved reports whether a secret has a source that is approved.
func (h *Handler) approved(u *v1alpha1.UserSecret) bool {
	return u.Spec.ValueFrom != nil && h.Approved != nil && h.Approved(u)
}

// files returns the files with paths of their own, the earliest claim first.
func (h *Handler) files(users []*v1alpha1.UserSecret) []projector.File {
	items := make([]bundle.Item, 0, len(users))
	for _, u := range users {
		items = append(items, bundle.UserItem(u, h.approved(u)))
	}
	decisions := slices.DeleteFunc(bundle.DecideUser(items, h.Limits, h.Options.Targets), func(d bundle.Decision) bool {
		return d.Outcome.File == nil
	})
	slices.SortFunc(decisions, func(a, b bundle.Decision) int { return bundle.CompareFiles(a.Item, b.Item) })
	files := make([]projector.File, 0, len(decisions))
	for _, d := range decisions {
		files = append(files, projector.File{Key: d.Outcome.File.Key, Path: d.Item.File})
	}
	return files
}

// labels returns the labels of a Namespace; none if the cache does not have the
// Namespace yet.
func (h *Handler) labels(ctx context.Context, namespace string) (map[string]string, error) {
	meta := namespaceMeta()
	err := h.Reader.Get(ctx, client.ObjectKey{Name: namespace}, meta, client.UnsafeDisableDeepCopy)
	if client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("get Namespace: %w", err)
	}
	return meta.Labels, nil
}

func isLive(a v1alpha1.AgentSecret) bool { return a.DeletionTimestamp.IsZero() }

func namespaceMeta() *metav1.PartialObjectMetadata {
	m := &metav1.PartialObjectMetadata{}
	m.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	return m
}
