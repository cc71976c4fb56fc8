// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package keys is what the commands below keys do: it lists sealing keys, asks for
// rotations, and keeps backups. It treats private keys as bytes that it encrypts or
// stores, opens nothing with them, and prints none.
package keys

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/metadata"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

var (
	secrets  = corev1.SchemeGroupVersion.WithResource("secrets")
	selector = metav1.ListOptions{LabelSelector: v1alpha1.LabelSealingKey + "=true"}
)

// Keys are the sealing keys of a cluster.
type Keys struct {
	cluster   *cluster.Cluster
	metadata  metadata.Interface
	namespace string
}

// New returns the keys of a cluster.
func New(c *cluster.Cluster) *Keys {
	return &Keys{cluster: c, metadata: c.Metadata, namespace: c.System}
}

// Key is what is public of a sealing key.
type Key struct {
	// ID is its id.
	ID string `json:"id"`
	// Created orders the keys.
	Created time.Time `json:"created"`
	// Seals reports whether it is the newest, with which values are sealed.
	Seals bool `json:"seals"`
	// RotateRequested is the request for a successor that stands on it.
	RotateRequested string `json:"rotateRequested,omitempty"`
	// BackedUp is when this plugin last wrote it into a backup; nil where it never did.
	BackedUp *time.Time `json:"backedUp,omitempty"`
	// Objects is how many objects it seals; nil where that is not known.
	Objects *int `json:"objects,omitempty"`
}

// List returns the keys, newest first. It reads their metadata alone.
func (k *Keys) List(ctx context.Context) ([]Key, error) {
	found, err := k.metadata.Resource(secrets).Namespace(k.namespace).List(ctx, selector)
	if err != nil {
		return nil, err
	}
	var all []Key
	for i := range found.Items {
		s := &found.Items[i]
		created, err := time.Parse(time.RFC3339Nano, s.Annotations[v1alpha1.AnnotationCreated])
		if err != nil {
			continue // Latchkey does not use it either
		}
		key := Key{
			ID: strings.TrimPrefix(s.Name, v1alpha1.SealingKeyPrefix), Created: created,
			RotateRequested: s.Annotations[v1alpha1.AnnotationRotateRequested],
		}
		if at, err := time.Parse(time.RFC3339, s.Annotations[v1alpha1.AnnotationBackedUp]); err == nil {
			key.BackedUp = &at
		}
		all = append(all, key)
	}
	slices.SortFunc(all, func(a, b Key) int { return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(b.ID, a.ID)) })
	if len(all) > 0 {
		all[0].Seals = true
	}
	return all, nil
}

// Count writes into keys how many objects each seals.
func (k *Keys) Count(ctx context.Context, all []Key) error {
	counts, err := k.objects(ctx)
	if err != nil {
		return err
	}
	for i := range all {
		n := counts[all[i].ID]
		all[i].Objects = &n
	}
	return nil
}

// objects counts the objects of the cluster by the key of their value.
func (k *Keys) objects(ctx context.Context) (map[string]int, error) {
	counts := map[string]int{}
	for _, list := range []func(context.Context, string, metav1.ListOptions) ([]cluster.Item, error){k.cluster.Users, k.cluster.Agents} {
		items, err := list(ctx, "", metav1.ListOptions{})
		if err != nil {
			return nil, err
		}
		for _, i := range items {
			if id := seal.KeyIDOf(i.Sealed()); id != "" {
				counts[id]++
			}
		}
	}
	return counts, nil
}

// SecretName returns the name of a key's Secret.
func SecretName(id string) string { return v1alpha1.SealingKeyPrefix + id }

// Rotate asks for a successor of the newest key, and returns that key. dryRun is none,
// client or server.
func (k *Keys) Rotate(ctx context.Context, now time.Time, dryRun string) (Key, error) {
	all, err := k.List(ctx)
	if err != nil {
		return Key{}, err
	}
	if len(all) == 0 {
		return Key{}, cli.Refused("there is no sealing key in namespace %s; the controller makes the first. Try: kubectl latchkey doctor --system", k.namespace)
	}
	newest := all[0]
	newest.RotateRequested = requestAt(newest.Created, now)
	if dryRun == "client" {
		return newest, nil
	}
	patch := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:%q}}}`, v1alpha1.AnnotationRotateRequested, newest.RotateRequested)
	_, err = k.metadata.Resource(secrets).Namespace(k.namespace).
		Patch(ctx, SecretName(newest.ID), types.MergePatchType, patch, metav1.PatchOptions{FieldManager: cluster.FieldManager, DryRun: dry(dryRun)})
	return newest, err
}

// dry is how the API server is told of a dry run.
func dry(dryRun string) []string {
	if dryRun == "server" {
		return []string{metav1.DryRunAll}
	}
	return nil
}

// requestAt is the time of a request that counts: later than the key, whatever the clocks.
func requestAt(created, now time.Time) string {
	if !now.After(created) {
		now = created.Add(time.Second)
	}
	return now.UTC().Format(time.RFC3339Nano)
}

// MarkBackedUp writes on keys when they were backed up, which doctor looks for.
func (k *Keys) MarkBackedUp(ctx context.Context, ids []string, now time.Time) error {
	patch := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:%q}}}`, v1alpha1.AnnotationBackedUp, now.UTC().Format(time.RFC3339))
	for _, id := range ids {
		if _, err := k.metadata.Resource(secrets).Namespace(k.namespace).
			Patch(ctx, SecretName(id), types.MergePatchType, patch, metav1.PatchOptions{FieldManager: cluster.FieldManager}); err != nil {
			return err
		}
	}
	return nil
}

// Await waits until another key than old is published, and returns its id. said is called
// with how long that takes.
func (k *Keys) Await(ctx context.Context, old string, said func(text string)) (string, error) {
	began := time.Now()
	var id string
	err := wait.PollUntilContextCancel(ctx, 500*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		said(time.Since(began).Round(time.Second).String())
		published, err := k.cluster.Published(ctx)
		if err != nil {
			return false, err
		}
		id = published.Keys.Newest.ID()
		return id != old, nil
	})
	return id, err
}

// Older counts the objects of the cluster, and those whose value is sealed with another key
// than the newest.
func (k *Keys) Older(ctx context.Context, newest string) (older, all int, err error) {
	counts, err := k.objects(ctx)
	for id, n := range counts {
		all += n
		if id != newest {
			older += n
		}
	}
	return older, all, err
}
