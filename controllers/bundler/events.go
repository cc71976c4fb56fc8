// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundler

import (
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
)

// EventRecorder is the part of client-go's events.EventRecorder that this package uses.
type EventRecorder interface {
	// Eventf records an event.
	Eventf(regarding, related runtime.Object, eventtype, reason, action, note string, args ...any)
}

// news has the reasons that one reconcile reports only once, however many objects they
// concern: that a bundle is refused, and that it no longer is.
type news struct {
	mu sync.Mutex
	// told has the reasons that an event has reported already. It belongs to the
	// setback, and so lasts as long as the bundles are refused.
	told map[string]bool
	// healed has the reasons whose end an event of this reconcile has reported.
	healed map[string]bool
}

func newsOf(b *setback) *news {
	n := &news{told: map[string]bool{}, healed: map[string]bool{}}
	if b != nil {
		n.told = b.told
	}
	return n
}

// first reports whether reason is not in seen yet, and adds it. Only reasons of bundles
// are recorded: each object reports other reasons itself.
func (n *news) first(seen map[string]bool, reason string) bool {
	if reason != v1alpha1.ReasonBundleRefused && reason != v1alpha1.ReasonBundleBlocked {
		return true
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if seen[reason] {
		return false
	}
	seen[reason] = true
	return true
}

// announce emits an event for a transition: an object stopped being ready, is not ready
// for another reason, or is ready again. A new object that becomes ready is no news;
// its status says so. A refused bundle of 500 objects is one event, at the first of
// them.
func (r *Reconciler) announce(obj client.Object, before, after []metav1.Condition, news *news) {
	was := apimeta.FindStatusCondition(before, v1alpha1.ConditionReady)
	is := apimeta.FindStatusCondition(after, v1alpha1.ConditionReady)
	switch {
	case is == nil, was != nil && was.Reason == is.Reason && was.Status == is.Status:
	case is.Status == metav1.ConditionFalse:
		if news.first(news.told, is.Reason) {
			r.Events.Eventf(obj, nil, corev1.EventTypeWarning, is.Reason, "Project", "%s", bounded(is.Message, maxNote))
		}
	case was != nil && was.Status == metav1.ConditionFalse:
		if news.first(news.healed, was.Reason) {
			r.Events.Eventf(obj, nil, corev1.EventTypeNormal, is.Reason, "Project", "%s", bounded(is.Message, maxNote))
		}
	}
}

// maxNote is the API server's limit for the note of an event, in bytes.
const maxNote = 1024

// bounded shortens a text to a number of bytes.
func bounded(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most-3], "") + "..."
}
