// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
)

// workload is what makes pods.
type workload struct {
	name     string
	replicas int32
	selector *metav1.LabelSelector // nil for a Job, whose selector the API server makes
	pods     corev1.PodTemplateSpec
}

// rendering is a rendered chart, by what is looked at.
type rendering struct {
	all       objects
	workloads []workload
}

func newRendering(all objects) rendering {
	r := rendering{all: all}
	for key, o := range r.all {
		switch o.GetKind() {
		case "Deployment":
			d := typed[appsv1.Deployment](o)
			r.workloads = append(r.workloads, workload{key, *d.Spec.Replicas, d.Spec.Selector, d.Spec.Template})
		case "Job":
			r.workloads = append(r.workloads, workload{key, 1, nil, typed[batchv1.Job](o).Spec.Template})
		}
	}
	return r
}

func typed[T any](o *unstructured.Unstructured) *T {
	out := new(T)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(o.Object, out, true); err != nil {
		panic(err)
	}
	return out
}

// pods looks at every pod template.
func pods(fine func(corev1.PodSpec) bool) func(rendering) []string {
	return func(r rendering) (out []string) {
		for _, w := range r.workloads {
			if !fine(w.pods.Spec) {
				out = append(out, w.name)
			}
		}
		return out
	}
}

// containers looks at every container.
func containers(fine func(corev1.Container) bool) func(rendering) []string {
	return pods(func(p corev1.PodSpec) bool {
		return !slices.ContainsFunc(slices.Concat(p.InitContainers, p.Containers), func(c corev1.Container) bool { return !fine(c) })
	})
}

// probePort looks at the port of a probe: the container has to open it.
func probePort(probe func(corev1.Container) *corev1.Probe) func(rendering) []string {
	return containers(func(c corev1.Container) bool {
		p := probe(c)
		return p == nil || p.HTTPGet == nil || slices.ContainsFunc(c.Ports, func(port corev1.ContainerPort) bool {
			return intstr.FromString(port.Name) == p.HTTPGet.Port || intstr.FromInt32(port.ContainerPort) == p.HTTPGet.Port
		})
	})
}

// budgets looks at every PodDisruptionBudget with the workload that it is for.
func budgets(fine func(policyv1.PodDisruptionBudgetSpec, workload) bool) func(rendering) []string {
	return func(r rendering) (out []string) {
		for key, o := range r.all {
			if o.GetKind() != "PodDisruptionBudget" {
				continue
			}
			spec := typed[policyv1.PodDisruptionBudget](o).Spec
			i := slices.IndexFunc(r.workloads, func(w workload) bool { return selects(spec.Selector, w) })
			if i < 0 || !fine(spec, r.workloads[i]) {
				out = append(out, key)
			}
		}
		return out
	}
}

func selects(selector *metav1.LabelSelector, w workload) bool {
	s, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && !s.Empty() && s.Matches(labels.Set(w.pods.Labels))
}

// noHostPath looks at every volume: none is a folder or a socket of the node's.
var noHostPath = pods(func(p corev1.PodSpec) bool {
	return !slices.ContainsFunc(p.Volumes, func(v corev1.Volume) bool { return v.HostPath != nil })
})

func security(c corev1.Container) corev1.SecurityContext {
	if c.SecurityContext == nil {
		return corev1.SecurityContext{}
	}
	return *c.SecurityContext
}

func is(b *bool, want bool) bool { return b != nil && *b == want }

var secretName = regexp.MustCompile("(?i)secret")

// kubeLinter is what kube-linter asks by default, by its names for it, as of its version
// 0.8. The linter itself is not among the tools, see docs/decisions/0022.
var kubeLinter = map[string]func(rendering) []string{
	"dangling-service": func(r rendering) (out []string) {
		for key, o := range r.all {
			if o.GetKind() != "Service" {
				continue
			}
			selector := &metav1.LabelSelector{MatchLabels: typed[corev1.Service](o).Spec.Selector}
			if !slices.ContainsFunc(r.workloads, func(w workload) bool { return selects(selector, w) }) {
				out = append(out, key)
			}
		}
		return out
	},
	"deprecated-service-account-field": pods(func(p corev1.PodSpec) bool { return p.DeprecatedServiceAccount == "" }),
	"docker-sock":                      noHostPath,
	"drop-net-raw-capability": containers(func(c corev1.Container) bool {
		caps := security(c).Capabilities
		return caps != nil && len(caps.Add) == 0 && (slices.Contains(caps.Drop, "ALL") || slices.Contains(caps.Drop, "NET_RAW"))
	}),
	"duplicate-env-var": containers(func(c corev1.Container) bool {
		seen := map[string]bool{}
		return !slices.ContainsFunc(c.Env, func(e corev1.EnvVar) bool {
			again := seen[e.Name]
			seen[e.Name] = true
			return again
		})
	}),
	"env-var-secret": containers(func(c corev1.Container) bool {
		return !slices.ContainsFunc(c.Env, func(e corev1.EnvVar) bool { return secretName.MatchString(e.Name) && e.Value != "" })
	}),
	"host-ipc":     pods(func(p corev1.PodSpec) bool { return !p.HostIPC }),
	"host-network": pods(func(p corev1.PodSpec) bool { return !p.HostNetwork }),
	"host-pid":     pods(func(p corev1.PodSpec) bool { return !p.HostPID }),
	"invalid-target-ports": func(r rendering) (out []string) {
		valid := func(p intstr.IntOrString) bool {
			if p.Type == intstr.String {
				return len(validation.IsValidPortName(p.StrVal)) == 0
			}
			return len(validation.IsValidPortNum(int(p.IntVal))) == 0
		}
		for key, o := range r.all {
			if o.GetKind() != "Service" {
				continue
			}
			for _, p := range typed[corev1.Service](o).Spec.Ports {
				if !valid(p.TargetPort) {
					out = append(out, key)
				}
			}
		}
		return append(out, containers(func(c corev1.Container) bool {
			return !slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool { return !valid(intstr.FromString(p.Name)) })
		})(r)...)
	},
	"latest-tag": containers(func(c corev1.Container) bool {
		_, tag, found := strings.Cut(c.Image[strings.LastIndex(c.Image, "/")+1:], ":")
		return found && tag != "latest"
	}),
	"liveness-port": probePort(func(c corev1.Container) *corev1.Probe { return c.LivenessProbe }),
	"mismatching-selector": func(r rendering) (out []string) {
		for _, w := range r.workloads {
			if w.selector != nil && !selects(w.selector, w) {
				out = append(out, w.name)
			}
		}
		return out
	},
	"no-anti-affinity": func(r rendering) (out []string) {
		for _, w := range r.workloads {
			a := w.pods.Spec.Affinity
			if w.replicas > 1 && (a == nil || a.PodAntiAffinity == nil ||
				len(a.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution)+len(a.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution) == 0) {
				out = append(out, w.name)
			}
		}
		return out
	},
	"no-extensions-v1beta": func(r rendering) (out []string) {
		for key, o := range r.all {
			if strings.HasPrefix(o.GetAPIVersion(), "extensions/") {
				out = append(out, key)
			}
		}
		return out
	},
	"no-read-only-root-fs": containers(func(c corev1.Container) bool { return is(security(c).ReadOnlyRootFilesystem, true) }),
	"non-existent-service-account": func(r rendering) (out []string) {
		for _, w := range r.workloads {
			if r.all["ServiceAccount "+namespace+"/"+w.pods.Spec.ServiceAccountName] == nil {
				out = append(out, w.name)
			}
		}
		return out
	},
	"pdb-max-unavailable": budgets(func(b policyv1.PodDisruptionBudgetSpec, w workload) bool {
		if b.MaxUnavailable == nil {
			return true
		}
		n, err := intstr.GetScaledValueFromIntOrPercent(b.MaxUnavailable, int(w.replicas), true)
		return err == nil && n > 0
	}),
	"pdb-min-available": budgets(func(b policyv1.PodDisruptionBudgetSpec, w workload) bool {
		if b.MinAvailable == nil {
			return true
		}
		n, err := intstr.GetScaledValueFromIntOrPercent(b.MinAvailable, int(w.replicas), true)
		return err == nil && n < int(w.replicas)
	}),
	"pdb-unhealthy-pod-eviction-policy": budgets(func(b policyv1.PodDisruptionBudgetSpec, _ workload) bool {
		return b.UnhealthyPodEvictionPolicy != nil
	}),
	"privilege-escalation-container": containers(func(c corev1.Container) bool { return is(security(c).AllowPrivilegeEscalation, false) }),
	"privileged-container":           containers(func(c corev1.Container) bool { return !is(security(c).Privileged, true) }),
	"readiness-port":                 probePort(func(c corev1.Container) *corev1.Probe { return c.ReadinessProbe }),
	"run-as-non-root": pods(func(p corev1.PodSpec) bool {
		s := p.SecurityContext
		return s != nil && is(s.RunAsNonRoot, true) && s.RunAsUser != nil && *s.RunAsUser > 0 &&
			!slices.ContainsFunc(p.Containers, func(c corev1.Container) bool { return security(c).RunAsUser != nil })
	}),
	"sensitive-host-mounts": noHostPath,
	"ssh-port": containers(func(c corev1.Container) bool {
		return !slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool { return p.ContainerPort == 22 })
	}),
	"startup-port": probePort(func(c corev1.Container) *corev1.Probe { return c.StartupProbe }),
	"unsafe-sysctls": pods(func(p corev1.PodSpec) bool {
		return p.SecurityContext == nil || len(p.SecurityContext.Sysctls) == 0
	}),
	"unset-cpu-requirements": containers(func(c corev1.Container) bool {
		return !c.Resources.Requests.Cpu().IsZero() && !c.Resources.Limits.Cpu().IsZero()
	}),
	"unset-memory-requirements": containers(func(c corev1.Container) bool {
		return !c.Resources.Requests.Memory().IsZero() && !c.Resources.Limits.Memory().IsZero()
	}),
}

// TestWhatKubeLinterAsks has the findings that are left as they are, with the reason.
func TestWhatKubeLinterAsks(t *testing.T) {
	argued := map[string][]string{
		// A throttled server misses the time that admission has, and a throttled controller
		// falls behind for every tenant.
		"unset-cpu-requirements": {"by default", "with everything"},
		// It is what the option is for.
		"host-network": {"with everything"},
	}
	for _, values := range []struct{ name, values string }{{"by default", ""}, {"with everything", everything}} {
		r := newRendering(rendered(t, values.values))
		if len(r.workloads) != 3 {
			t.Fatalf("%s there are %d workloads, want controller, server and uninstall", values.name, len(r.workloads))
		}
		for check, find := range kubeLinter {
			t.Run(fmt.Sprintf("%s/%s", values.name, check), func(t *testing.T) {
				found := find(r)
				expected := slices.Contains(argued[check], values.name)
				switch {
				case len(found) > 0 && !expected:
					t.Errorf("found in %s", strings.Join(found, ", "))
				case len(found) == 0 && expected:
					t.Error("is mended, and still argued")
				}
			})
		}
	}
}

// TestTheChecksFind gives each check something to find.
func TestTheChecksFind(t *testing.T) {
	r := newRendering(parse(t, []byte(`
apiVersion: apps/v1
kind: Deployment
metadata: {namespace: latchkey-system, name: bad}
spec:
  replicas: 2
  selector: {matchLabels: {app: bad}}
  template:
    metadata: {labels: {app: worse}}
    spec:
      serviceAccount: bad
      serviceAccountName: bad
      hostIPC: true
      hostNetwork: true
      hostPID: true
      securityContext: {sysctls: [{name: kernel.sem, value: "1"}]}
      volumes: [{name: a, hostPath: {path: /var/run/docker.sock}}]
      containers:
        - name: a
          image: registry:5000/a
          env: [{name: MY_SECRET, value: a}, {name: MY_SECRET, value: b}]
          ports: [{name: not--a--port, containerPort: 22}]
          livenessProbe: &probe {httpGet: {port: 1}}
          readinessProbe: *probe
          startupProbe: *probe
          securityContext: {privileged: true, runAsUser: 0}
---
apiVersion: v1
kind: Service
metadata: {namespace: latchkey-system, name: bad}
spec: {selector: {app: bad}, ports: [{port: 80, targetPort: 0}]}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {namespace: latchkey-system, name: most}
spec: {selector: {matchLabels: {app: worse}}, maxUnavailable: 0%}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {namespace: latchkey-system, name: least}
spec: {selector: {matchLabels: {app: worse}}, minAvailable: 2}
---
apiVersion: extensions/v1beta1
kind: Ingress
metadata: {namespace: latchkey-system, name: bad}
`)))
	for check, find := range kubeLinter {
		if len(find(r)) == 0 {
			t.Errorf("%s finds nothing", check)
		}
	}
}
