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

// EventRecorder is the part of client-go's events.EventRecorder that is needed.
type EventRecorder interface {
	// Eventf records an event.
	Eventf(regarding, related runtime.Object, eventtype, reason, action, note string, args ...any)
}

// news is what of one reconcile is told once, however many objects it concerns: that
// a bundle is refused, and that it is no longer.
type news struct {
	mu sync.Mutex
	// told are the reasons of which an event tells already. It belongs to the setback,
	// and so lasts as long as the bundles are refused.
	told map[string]bool
	// healed are the reasons whose end an event of this reconcile tells.
	healed map[string]bool
}

func newsOf(b *setback) *news {
	n := &news{told: map[string]bool{}, healed: map[string]bool{}}
	if b != nil {
		n.told = b.told
	}
	return n
}

// first reports whether nothing in seen has told of reason yet. Each object speaks for
// itself unless the reason is its bundle's.
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

// announce tells users of a transition: an object that stopped being ready, is not
// ready for another reason, or is ready again. That a new object became ready is
// what everybody expects; its status says so, and no event repeats it. A refused bundle
// of 500 objects is one event, at the first of them.
func (r *Reconciler) announce(obj client.Object, before, after []metav1.Condition, news *news) {
	was := apimeta.FindStatusCondition(before, v1alpha1.ConditionReady)
	is := apimeta.FindStatusCondition(after, v1alpha1.ConditionReady)
	switch {
	case is == nil, was != nil && was.Reason == is.Reason && was.Status == is.Status:
	case is.Status == metav1.ConditionFalse:
		if news.first(news.told, is.Reason) {
			r.Events.Eventf(obj, nil, corev1.EventTypeWarning, is.Reason, "Project", "%s", note(is.Message))
		}
	case was != nil && was.Status == metav1.ConditionFalse:
		if news.first(news.healed, was.Reason) {
			r.Events.Eventf(obj, nil, corev1.EventTypeNormal, is.Reason, "Project", "%s", note(is.Message))
		}
	}
}

// maxNote is how long the API server lets an event's note be, in bytes.
const maxNote = 1024

// note cuts a message to what an event can hold.
func note(message string) string {
	if len(message) <= maxNote {
		return message
	}
	return strings.ToValidUTF8(message[:maxNote-3], "") + "..."
}
