// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/usage"
	"github.com/latchkey-dev/latchkey/internal/policy/limits"
	"github.com/latchkey-dev/latchkey/internal/projector"
)

func namespace(name string, age time.Duration, labels map[string]string) corev1.Namespace {
	return corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: name, UID: types.UID(name), Labels: labels, CreationTimestamp: metav1.NewTime(now.Add(-age)),
	}}
}

// workloadPod is a pod of Deployment web, as it was written.
func workloadPod() *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "alice", Name: "web-1", Labels: map[string]string{"pod-template-hash": "1"},
			OwnerReferences: []metav1.OwnerReference{{Kind: "ReplicaSet", Name: "web-1", Controller: ptr(true)}},
		},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app"}}},
	}
}

// soundTenant is a user in whose namespace nothing is wrong.
func soundTenant() TenantFacts {
	f := TenantFacts{
		Name: "alice", Now: now,
		Namespace: Read[corev1.Namespace]{Value: namespace("alice", time.Hour, map[string]string{v1alpha1.LabelUser: "alice", v1alpha1.LabelInjection: "enabled"})},
		Users:     Read[[]cluster.Item]{Value: []cluster.Item{user("a", v1alpha1.ReasonProjected, metav1.ConditionTrue)}},
		Limits:    limits.Of(limits.User{Secrets: 10, ValueBytes: 1000, EnvValueBytes: 100}, limits.Agent{Secrets: 10, TotalValueBytes: 1000}),
		Restarts:  Read[map[string]bool]{Value: map[string]bool{"deploy/web": true, "deploy/other": false}},
		Places:    []usage.Place{{Secret: v1alpha1.BundleUserEnv, Key: "TOKEN"}},
		Probe:     Probe{Wrong: refused("spec.sealedValue", "it does not open")},
	}
	f.Tenants.Value = []corev1.Namespace{f.Namespace.Value, namespace("bob", 2*time.Hour, map[string]string{v1alpha1.LabelUser: "bob"})}
	f.Pods.Value = []corev1.Pod{*projector.Project(workloadPod(), f.content(), projector.Options{}).Pod}
	return f
}

func refused(field, text string) Answer {
	return Answer{Refused: []metav1.StatusCause{{Field: field, Message: text}}}
}

func TestTenant_InWhichNothingIsWrong_FindsNothing(t *testing.T) {
	found := Tenant(soundTenant())
	if diff := cmp.Diff([]string(nil), unwell(found)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if len(found) < 6 || !Healthy(found) {
		t.Errorf("%d findings, healthy: %t", len(found), Healthy(found))
	}
}

func TestTenant_BrokenInOneWay_NamesThatWayAlone(t *testing.T) {
	label := func(f *TenantFacts, name, value string) { f.Namespace.Value.Labels[name] = value }
	older := func(f *TenantFacts, other corev1.Namespace) { f.Tenants.Value = append(f.Tenants.Value, other) }
	for name, tt := range map[string]struct {
		change func(*TenantFacts)
		want   string
	}{
		"there is no such namespace": {func(f *TenantFacts) { f.Namespace = Read[corev1.Namespace]{Absent: true} },
			"Labels failed: there is no namespace alice"},
		"it is nobody's": {func(f *TenantFacts) { label(f, v1alpha1.LabelUser, "") },
			"Labels warning: it is neither a user nor an environment, so the REST APIs do not know it"},
		"an older one is that user": {func(f *TenantFacts) {
			f.Namespace.Value.Annotations = map[string]string{v1alpha1.AnnotationSubjects: "me\n"}
			older(f, namespace("old", 2*time.Hour, map[string]string{v1alpha1.LabelUser: "alice"}))
		}, "Labels failed: namespace old, which is older, is user alice too, so the REST APIs mean that one"},
		"an older one has that subject": {func(f *TenantFacts) {
			n := namespace("old", 2*time.Hour, map[string]string{v1alpha1.LabelUser: "other"})
			n.Annotations = map[string]string{v1alpha1.AnnotationSubjects: "x\n alice \n"}
			older(f, n)
		}, "Labels failed: namespace old, which is older, is the user of subject alice too, so the REST APIs mean that one"},
		"an older one has that environment's id": {func(f *TenantFacts) {
			label(f, v1alpha1.LabelEnvironment, "prod")
			label(f, v1alpha1.LabelEnvironmentID, "AB")
			older(f, namespace("old", 2*time.Hour, map[string]string{v1alpha1.LabelEnvironment: "x", v1alpha1.LabelEnvironmentID: "ab"}))
		}, "Labels failed: namespace old, which is older, is the environment of id ab too, so the REST APIs mean that one"},
		"injection is off": {func(f *TenantFacts) { label(f, v1alpha1.LabelInjection, "") },
			"Injection warning: it is not enabled, so pods get no secrets"},
		"injection is misspelt": {func(f *TenantFacts) { label(f, v1alpha1.LabelInjection, "on") },
			`Injection failed: label latchkey.dev/injection is "on", and has to be enabled or opt-in: pods get no secrets`},
		"an object is not ready": {func(f *TenantFacts) {
			f.Users.Value = append(f.Users.Value, user("b", v1alpha1.ReasonConflict, metav1.ConditionFalse))
		}, "Secrets failed: UserSecret b is not ready: Conflict: so it is"},
		"an object was not looked at": {func(f *TenantFacts) {
			i := user("b", v1alpha1.ReasonConflict, metav1.ConditionFalse)
			i.User.Status.Conditions = nil
			f.Users.Value = append(f.Users.Value, i)
		}, "Secrets failed: UserSecret b is not ready: not looked at"},
		"a limit is near": {func(f *TenantFacts) { f.Limits.User.Secrets = 1 },
			"Limits warning: 1 of 1 user secrets are used; delete or shorten some, or ask the platform team for more"},
		"a pod is older than injection": {func(f *TenantFacts) { f.Pods.Value[0] = *workloadPod() },
			"Pods warning: pod web-1 has no secrets: it is older than the injection label, or was made while the webhook was missing"},
		"a pod opts out": {func(f *TenantFacts) {
			f.Pods.Value[0] = *workloadPod()
			f.Pods.Value[0].Annotations = map[string]string{projector.AnnotationInject: "false"}
		}, "Opted out warning: pod web-1 gets no secrets, by annotation latchkey.dev/inject"},
		"a container opts out": {func(f *TenantFacts) {
			f.Pods.Value[0].Annotations = map[string]string{projector.AnnotationSkipContainers: "sidecar"}
		}, "Opted out warning: containers of pod web-1 get no secrets, by annotation latchkey.dev/skip-containers: sidecar"},
		"a pod sets the variable": {func(f *TenantFacts) {
			f.Pods.Value[0].Spec.Containers[0].Env = []corev1.EnvVar{{Name: "TOKEN", Value: "own"}}
			f.Restarts.Value["deploy/web"] = true
		}, "Shadowed warning: container app of pod web-1 sets TOKEN itself, so secret a does not reach it"},
		"a user's variable is that of an agent": {func(f *TenantFacts) {
			a := &v1alpha1.AgentSecret{ObjectMeta: metav1.ObjectMeta{Name: "z"}}
			a.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue}}
			a.Status.Env = &v1alpha1.Landing{SecretName: v1alpha1.BundleAgentEnv, Key: "TOKEN"}
			f.Agents.Value = []cluster.Item{{Agent: a}}
		}, "Shadowed warning: variable TOKEN of z is that of a in pods"},
		"a workload is not restarted": {func(f *TenantFacts) { f.Restarts.Value["deploy/web"] = false },
			"Restarts warning: deploy/web keeps the values with which it started, until somebody restarts it"},
		"pods may not be seen": {func(f *TenantFacts) { f.Pods = Read[[]corev1.Pod]{Denied: "list pods in namespace alice"} },
			"Pods unknown: you may not list pods in namespace alice"},
		"secrets may not be seen": {func(f *TenantFacts) { f.Agents = Read[[]cluster.Item]{Denied: "list agentsecrets"} },
			"Secrets unknown: you may not list agentsecrets"},
		"nothing is published": {func(f *TenantFacts) { f.Probe = Probe{Unsealed: "no ConfigMap"} },
			"Dry run failed: there is nothing to seal with: no ConfigMap"},
		"secrets may not be created": {func(f *TenantFacts) { f.Probe.Right = Answer{Denied: "create usersecrets"} },
			"Dry run unknown: you may not create usersecrets"},
		"admission has another authority": {func(f *TenantFacts) {
			f.Probe.Right = Answer{Problem: "failed calling webhook: x509: certificate signed by unknown authority"}
		},
			"Dry run failed: a secret cannot be created: the caBundle of the webhook is not that of the server (failed calling webhook: x509: certificate signed by unknown authority)"},
		"the published key does not open": {func(f *TenantFacts) { f.Probe.Right = refused("spec.sealedValue", "its key does not exist") },
			"Dry run failed: a value that was sealed with the published key is refused: its key does not exist"},
		"admission is not asked": {func(f *TenantFacts) { f.Probe.Wrong = Answer{} },
			"Dry run failed: admission is not asked: a value that was sealed for another object is let in"},
		"admission fails the second time": {func(f *TenantFacts) { f.Probe.Wrong = Answer{Problem: "connection refused"} },
			"Dry run failed: admission did not look at the value: no server listens (connection refused)"},
		"the namespace is full": {func(f *TenantFacts) { f.Probe.Right = refused("spec", "51 secrets exceed the tenant's limit of 50") },
			"Dry run warning: admission works, and lets no further secret in: 51 secrets exceed the tenant's limit of 50"},
	} {
		t.Run(name, func(t *testing.T) {
			f := soundTenant()
			tt.change(&f)
			found := Tenant(f)
			if diff := cmp.Diff([]string{tt.want}, unwell(found)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			for _, finding := range found {
				if finding.State == Failed && finding.Fix == "" {
					t.Errorf("%s has no command", finding.Check)
				}
			}
		})
	}
}

// What is no fault of anybody is not named.
func TestTenant_WithWhatIsMeant_FindsNothing(t *testing.T) {
	for name, change := range map[string]func(*TenantFacts){
		"a younger namespace claims the same": func(f *TenantFacts) {
			f.Tenants.Value = append(f.Tenants.Value, namespace("young", time.Minute, map[string]string{v1alpha1.LabelUser: "alice"}))
		},
		"with opt-in, a pod that does not ask": func(f *TenantFacts) {
			f.Namespace.Value.Labels[v1alpha1.LabelInjection] = "opt-in"
			f.Pods.Value[0] = *workloadPod()
		},
		"a pod that has ended": func(f *TenantFacts) {
			f.Pods.Value[0] = *workloadPod()
			f.Pods.Value[0].Status.Phase = corev1.PodSucceeded
		},
		"a pod for Windows": func(f *TenantFacts) {
			f.Pods.Value[0] = *workloadPod()
			f.Pods.Value[0].Spec.OS = &corev1.PodOS{Name: corev1.Windows}
		},
		"a variable that names the bundle itself": func(f *TenantFacts) {
			f.Pods.Value[0].Spec.Containers[0].Env = []corev1.EnvVar{{Name: "TOKEN", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
				LocalObjectReference: corev1.LocalObjectReference{Name: v1alpha1.BundleUserEnv}, Key: "TOKEN",
			}}}}
		},
		"a pod of no workload": func(f *TenantFacts) { f.Pods.Value[0].OwnerReferences = nil },
		"a new object": func(f *TenantFacts) {
			i := user("b", "", metav1.ConditionFalse)
			i.User.Status.Conditions, i.User.CreationTimestamp = nil, metav1.NewTime(now.Add(-time.Second))
			f.Users.Value = append(f.Users.Value, i)
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := soundTenant()
			change(&f)
			if diff := cmp.Diff([]string(nil), unwell(Tenant(f))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}
