// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
)

// Annotations of workloads.
const (
	// AnnotationRestart, with the value "true", asks for restarts.
	AnnotationRestart = v1alpha1.AnnotationRestart
	// AnnotationContentHash is the digest of the content that the pods were started
	// with. Latchkey sets it on the workload and on its pod template.
	AnnotationContentHash = "latchkey.dev/content-hash"
	// AnnotationRolledAt is when Latchkey last restarted the workload, as RFC 3339.
	AnnotationRolledAt = "latchkey.dev/rolled-at"
)

// Kinds of workloads.
const (
	deployment  = "Deployment"
	statefulSet = "StatefulSet"
	daemonSet   = "DaemonSet"
)

var kinds = []string{deployment, statefulSet, daemonSet}

// Workload names a Deployment, StatefulSet or DaemonSet.
type Workload struct {
	// Kind is one of the three.
	Kind string
	// Namespace and Name say which.
	Namespace, Name string
}

func workload(kind string, obj metav1.Object) Workload {
	return Workload{Kind: kind, Namespace: obj.GetNamespace(), Name: obj.GetName()}
}

func (w Workload) key() client.ObjectKey {
	return client.ObjectKey{Namespace: w.Namespace, Name: w.Name}
}

// object returns an empty object of the workload's kind.
func (w Workload) object() client.Object {
	switch w.Kind {
	case statefulSet:
		return &appsv1.StatefulSet{}
	case daemonSet:
		return &appsv1.DaemonSet{}
	default:
		return &appsv1.Deployment{}
	}
}

// meta returns empty metadata of a kind.
func meta(kind string) *metav1.PartialObjectMetadata {
	m := &metav1.PartialObjectMetadata{}
	m.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind(kind))
	return m
}

func metaList(kind string) *metav1.PartialObjectMetadataList {
	l := &metav1.PartialObjectMetadataList{}
	l.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind(kind + "List"))
	return l
}

func wantsRestarts(obj metav1.Object) bool {
	return obj.GetAnnotations()[AnnotationRestart] == "true" && obj.GetDeletionTimestamp().IsZero()
}

// template returns the pod template of a workload.
func template(obj client.Object) (*corev1.PodTemplateSpec, error) {
	switch o := obj.(type) {
	case *appsv1.Deployment:
		return &o.Spec.Template, nil
	case *appsv1.StatefulSet:
		return &o.Spec.Template, nil
	case *appsv1.DaemonSet:
		return &o.Spec.Template, nil
	default:
		return nil, fmt.Errorf("%T has no pod template", obj)
	}
}

// underWay reports whether a rollout is in progress. It does not count one that waits
// for a user, because it is paused or pods are replaced only when they are deleted.
func underWay(obj client.Object) bool {
	switch o := obj.(type) {
	case *appsv1.Deployment:
		desired, st := ptr.Deref(o.Spec.Replicas, 1), o.Status
		return !o.Spec.Paused && (st.ObservedGeneration < o.Generation ||
			st.UpdatedReplicas < desired || st.AvailableReplicas < desired || st.Replicas > st.UpdatedReplicas)
	case *appsv1.StatefulSet:
		desired, st, strategy := ptr.Deref(o.Spec.Replicas, 1), o.Status, o.Spec.UpdateStrategy
		updated := desired
		if strategy.RollingUpdate != nil {
			updated -= min(desired, ptr.Deref(strategy.RollingUpdate.Partition, 0))
		}
		return strategy.Type != appsv1.OnDeleteStatefulSetStrategyType && (st.ObservedGeneration < o.Generation ||
			st.UpdatedReplicas < updated || st.AvailableReplicas < desired)
	case *appsv1.DaemonSet:
		st := o.Status
		return o.Spec.UpdateStrategy.Type != appsv1.OnDeleteDaemonSetStrategyType && (st.ObservedGeneration < o.Generation ||
			st.UpdatedNumberScheduled < st.DesiredNumberScheduled || st.NumberAvailable < st.DesiredNumberScheduled)
	default:
		return false
	}
}
