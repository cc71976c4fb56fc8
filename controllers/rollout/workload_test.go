// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestUnderWay(t *testing.T) {
	second := metav1.ObjectMeta{Generation: 2}
	deploymentIs := func(spec appsv1.DeploymentSpec, status appsv1.DeploymentStatus) client.Object {
		return &appsv1.Deployment{ObjectMeta: second, Spec: spec, Status: status}
	}
	statefulSetIs := func(spec appsv1.StatefulSetSpec, status appsv1.StatefulSetStatus) client.Object {
		return &appsv1.StatefulSet{ObjectMeta: second, Spec: spec, Status: status}
	}
	daemonSetIs := func(strategy appsv1.DaemonSetUpdateStrategyType, status appsv1.DaemonSetStatus) client.Object {
		return &appsv1.DaemonSet{ObjectMeta: second, Status: status, Spec: appsv1.DaemonSetSpec{
			UpdateStrategy: appsv1.DaemonSetUpdateStrategy{Type: strategy},
		}}
	}
	three := appsv1.DeploymentSpec{Replicas: new(int32(3))}
	threeInOrder := appsv1.StatefulSetSpec{Replicas: new(int32(3))}
	partition := func(p int32) appsv1.StatefulSetSpec {
		return appsv1.StatefulSetSpec{Replicas: new(int32(3)), UpdateStrategy: appsv1.StatefulSetUpdateStrategy{
			RollingUpdate: &appsv1.RollingUpdateStatefulSetStrategy{Partition: &p},
		}}
	}
	for name, tc := range map[string]struct {
		object client.Object
		want   bool
	}{
		"a Deployment that is done":                  {deploymentIs(three, appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 3, UpdatedReplicas: 3, AvailableReplicas: 3}), false},
		"a Deployment of one replica by default":     {deploymentIs(appsv1.DeploymentSpec{}, appsv1.DeploymentStatus{ObservedGeneration: 2}), true},
		"a Deployment that nobody has looked at":     {deploymentIs(three, appsv1.DeploymentStatus{ObservedGeneration: 1, Replicas: 3, UpdatedReplicas: 3, AvailableReplicas: 3}), true},
		"a Deployment with old pods to replace":      {deploymentIs(three, appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 3, UpdatedReplicas: 2, AvailableReplicas: 3}), true},
		"a Deployment with old pods to remove":       {deploymentIs(three, appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 4, UpdatedReplicas: 3, AvailableReplicas: 4}), true},
		"a Deployment with pods that are not ready":  {deploymentIs(three, appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 3, UpdatedReplicas: 3, AvailableReplicas: 2}), true},
		"a Deployment of no replicas":                {deploymentIs(appsv1.DeploymentSpec{Replicas: new(int32(0))}, appsv1.DeploymentStatus{ObservedGeneration: 2}), false},
		"a Deployment that is paused":                {deploymentIs(appsv1.DeploymentSpec{Paused: true}, appsv1.DeploymentStatus{}), false},
		"a StatefulSet that is done":                 {statefulSetIs(threeInOrder, appsv1.StatefulSetStatus{ObservedGeneration: 2, UpdatedReplicas: 3, AvailableReplicas: 3}), false},
		"a StatefulSet that nobody has looked at":    {statefulSetIs(threeInOrder, appsv1.StatefulSetStatus{UpdatedReplicas: 3, AvailableReplicas: 3}), true},
		"a StatefulSet with old pods":                {statefulSetIs(threeInOrder, appsv1.StatefulSetStatus{ObservedGeneration: 2, UpdatedReplicas: 2, AvailableReplicas: 3}), true},
		"a StatefulSet with pods that are not ready": {statefulSetIs(threeInOrder, appsv1.StatefulSetStatus{ObservedGeneration: 2, UpdatedReplicas: 3, AvailableReplicas: 2}), true},
		"a StatefulSet done up to its partition":     {statefulSetIs(partition(2), appsv1.StatefulSetStatus{ObservedGeneration: 2, UpdatedReplicas: 1, AvailableReplicas: 3}), false},
		"a StatefulSet not done to its partition":    {statefulSetIs(partition(2), appsv1.StatefulSetStatus{ObservedGeneration: 2, AvailableReplicas: 3}), true},
		"a StatefulSet with a partition above all":   {statefulSetIs(partition(9), appsv1.StatefulSetStatus{ObservedGeneration: 2, AvailableReplicas: 3}), false},
		"a StatefulSet whose pods a user deletes":    {statefulSetIs(appsv1.StatefulSetSpec{UpdateStrategy: appsv1.StatefulSetUpdateStrategy{Type: appsv1.OnDeleteStatefulSetStrategyType}}, appsv1.StatefulSetStatus{}), false},
		"a DaemonSet that is done":                   {daemonSetIs(appsv1.RollingUpdateDaemonSetStrategyType, appsv1.DaemonSetStatus{ObservedGeneration: 2, DesiredNumberScheduled: 2, UpdatedNumberScheduled: 2, NumberAvailable: 2}), false},
		"a DaemonSet that nobody has looked at":      {daemonSetIs(appsv1.RollingUpdateDaemonSetStrategyType, appsv1.DaemonSetStatus{DesiredNumberScheduled: 2, UpdatedNumberScheduled: 2, NumberAvailable: 2}), true},
		"a DaemonSet with old pods":                  {daemonSetIs(appsv1.RollingUpdateDaemonSetStrategyType, appsv1.DaemonSetStatus{ObservedGeneration: 2, DesiredNumberScheduled: 2, UpdatedNumberScheduled: 1, NumberAvailable: 2}), true},
		"a DaemonSet with pods that are not ready":   {daemonSetIs(appsv1.RollingUpdateDaemonSetStrategyType, appsv1.DaemonSetStatus{ObservedGeneration: 2, DesiredNumberScheduled: 2, UpdatedNumberScheduled: 2, NumberAvailable: 1}), true},
		"a DaemonSet whose pods a user deletes":      {daemonSetIs(appsv1.OnDeleteDaemonSetStrategyType, appsv1.DaemonSetStatus{}), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := underWay(tc.object); got != tc.want {
				t.Errorf("under way: %t, want %t", got, tc.want)
			}
		})
	}
}
