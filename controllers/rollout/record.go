// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// RecordName is the ConfigMap of Latchkey's own namespace that tells a new leader
	// which workloads the previous one restarted recently.
	RecordName = "latchkey-restarts"

	recordKey     = "restarts.json"
	recordLabel   = "app.kubernetes.io/managed-by"
	recordManager = "latchkey"
	maxRecorded   = 1000 // below 500 KB, even with the longest possible names
)

// recordGone is the queue's item for a record that was deleted.
var recordGone = Workload{Kind: "ConfigMap", Name: RecordName}

// errForeignRecord reports that a ConfigMap of that name must not be overwritten.
var errForeignRecord = errors.New("a ConfigMap of that name is not Latchkey's; delete it or give it another name")

// entry is one restart in the record.
type entry struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// At is when it was restarted.
	At time.Time `json:"at"`
	// Since is when it took the place that it holds, if any.
	Since *time.Time `json:"since,omitempty"`
}

// recall reads, once, what the previous leader has restarted.
func (r *Reconciler) recall(ctx context.Context) error {
	if r.recalled {
		return nil
	}
	record, err := r.readRecord(ctx)
	if err != nil && !errors.Is(err, errForeignRecord) {
		return err
	}
	var entries []entry
	if record != nil {
		if err := json.Unmarshal([]byte(record.Data[recordKey]), &entries); err != nil {
			ctrl.LoggerFrom(ctx).Info("Cannot read which workloads were restarted recently, starting without them", "configmap", RecordName)
			entries = nil
		}
	}
	now := r.Clock.Now()
	r.places = places{max: r.Options.MaxConcurrent, timeout: r.Options.Timeout}
	for _, e := range entries {
		w := Workload{Kind: e.Kind, Namespace: e.Namespace, Name: e.Name}
		if !slices.Contains(kinds, w.Kind) {
			continue
		}
		r.memory.restarted(w, earlier(e.At, now))
		if e.Since != nil {
			r.places.set(w, place{since: earlier(*e.Since, now), used: true})
		}
	}
	r.recalled = true
	return nil
}

// earlier returns the earlier of t and now: the previous leader's clock may be ahead.
func earlier(t, now time.Time) time.Time {
	if t.After(now) {
		return now
	}
	return t
}

// record writes the recent restarts, once for each restart. If it fails, the next
// restart writes them: until then, the only risk is that a new leader restarts a
// workload too early.
func (r *Reconciler) record(ctx context.Context, now time.Time) error {
	text, err := json.Marshal(r.entries(now))
	if err != nil {
		return err
	}
	data := map[string]string{recordKey: string(text)}
	record, err := r.readRecord(ctx)
	switch {
	case err != nil:
		return err
	case record == nil:
		err = r.Live.Create(ctx, &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: r.Namespace, Name: RecordName, Labels: map[string]string{recordLabel: recordManager}},
			Data:       data,
		})
	default:
		record.Data = data
		err = r.Live.Update(ctx, record)
	}
	if err != nil {
		return fmt.Errorf("write ConfigMap %s: %w", RecordName, err)
	}
	return nil
}

// entries returns the restarts that matter to the next leader, the latest first, and
// forgets the others.
func (r *Reconciler) entries(now time.Time) []entry {
	lately := max(r.Options.Timeout, r.Options.MinInterval)
	entries := []entry{}
	for w, at := range r.memory.restarts {
		if now.Sub(at) >= lately {
			delete(r.memory.restarts, w)
			continue
		}
		e := entry{Kind: w.Kind, Namespace: w.Namespace, Name: w.Name, At: at.UTC()}
		if held, ok := r.places.held[w]; ok && held.used {
			since := held.since.UTC()
			e.Since = &since
		}
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b entry) int {
		return cmp.Or(b.At.Compare(a.At), strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Kind, b.Kind), strings.Compare(a.Name, b.Name))
	})
	return entries[:min(len(entries), maxRecorded)]
}

// readRecord reads the ConfigMap; it returns nil if it does not exist.
func (r *Reconciler) readRecord(ctx context.Context) (*corev1.ConfigMap, error) {
	record := &corev1.ConfigMap{}
	err := r.Live.Get(ctx, client.ObjectKey{Namespace: r.Namespace, Name: RecordName}, record)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read ConfigMap %s: %w", RecordName, err)
	case record.Labels[recordLabel] != recordManager:
		return nil, fmt.Errorf("read ConfigMap %s: %w", RecordName, errForeignRecord)
	}
	return record, nil
}
