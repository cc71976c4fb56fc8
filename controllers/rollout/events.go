// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// ReasonContentChanged is the reason of the event that reports a restart.
const ReasonContentChanged = "ContentChanged"

// EventRecorder is the part of client-go's events.EventRecorder that this package uses.
type EventRecorder interface {
	// Eventf records an event.
	Eventf(regarding, related runtime.Object, eventtype, reason, action, note string, args ...any)
}

// announce emits an event that says why pods are being replaced.
func (r *Reconciler) announce(obj client.Object) {
	r.Events.Eventf(obj, nil, corev1.EventTypeNormal, ReasonContentChanged, "Restart",
		"restarted, since the content of the namespace's secrets changed and annotation %s asks for it", AnnotationRestart)
}
