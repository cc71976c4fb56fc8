// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"cmp"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
)

const (
	// apiAllowance is how far the clocks of the control plane may differ, with the second
	// to which the API server cuts times, and what kubelets' caches lag behind.
	apiAllowance = 2 * time.Second
	// nodeAllowance is how far a node's clock may be off.
	nodeAllowance = 30 * time.Second
	// kubeletSync is how long a kubelet may take to bring a change into mounted files.
	kubeletSync = 2 * time.Minute
)

// How a container has a value.
const (
	// AsVariable is an environment variable, as of the container's start.
	AsVariable = "variable"
	// AsFile is a file at a path of its own, as of the container's start.
	AsFile = "file"
	// AsLive is a directory that follows changes.
	AsLive = "live"
)

// States of what a container has.
const (
	// Current is the present value.
	Current = "current"
	// Old is an older value, or none where the container is older than the secret.
	Old = "old"
	// Unsure is within the allowances for clocks.
	Unsure = "unsure"
	// Settling is a directory into which the kubelet may still have to bring the value.
	Settling = "settling"
	// Assumed is a directory that has it by now. What the program has read from there,
	// nobody can see.
	Assumed = "assumed"
)

// Place is a key of a native Secret.
type Place struct{ Secret, Key string }

// Question is what is asked.
type Question struct {
	// Places are where the value lies.
	Places []Place
	// Changed is when it last changed; zero where that is not known, or where the change
	// has not got into the bundle: then every container may have an older one.
	Changed time.Time
	// Now is the present time.
	Now time.Time
}

// Use is one way in which one container has the value.
type Use struct {
	Workload  string `json:"workload"`
	Pod       string `json:"pod"`
	Container string `json:"container"`
	As        string `json:"as"`
	State     string `json:"state"`
	// Since is when the container started, where it has an older value.
	Since *time.Time `json:"since,omitempty"`
	// Fresh reports whether the container started after the change, also where it has a
	// live directory.
	Fresh bool `json:"fresh"`
}

// Of returns who has the value, in the order of workloads, pods, containers and ways.
func Of(q Question, pods []corev1.Pod) []Use {
	var uses []Use
	for i := range pods {
		pod := &pods[i]
		if pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
			continue // its containers are gone
		}
		for _, c := range containersOf(pod) {
			if c.status != nil && c.status.State.Terminated != nil {
				continue // an init container that is done, or one that is not started again
			}
			uses = append(uses, q.container(pod, c)...)
		}
	}
	slices.SortFunc(uses, func(a, b Use) int {
		return cmp.Or(cmp.Compare(a.Workload, b.Workload), cmp.Compare(a.Pod, b.Pod), cmp.Compare(a.Container, b.Container), cmp.Compare(order(a.As), order(b.As)))
	})
	return uses
}

func order(as string) int { return slices.Index([]string{AsVariable, AsFile, AsLive}, as) }

// container is a container of any kind with its status, which a new pod does not have.
type container struct {
	spec   corev1.Container
	status *corev1.ContainerStatus
}

func containersOf(pod *corev1.Pod) []container {
	var all []container
	add := func(spec corev1.Container, statuses []corev1.ContainerStatus) {
		c := container{spec: spec}
		if i := slices.IndexFunc(statuses, func(s corev1.ContainerStatus) bool { return s.Name == spec.Name }); i >= 0 {
			c.status = &statuses[i]
		}
		all = append(all, c)
	}
	for _, c := range pod.Spec.InitContainers {
		add(c, pod.Status.InitContainerStatuses)
	}
	for _, c := range pod.Spec.Containers {
		add(c, pod.Status.ContainerStatuses)
	}
	for _, c := range pod.Spec.EphemeralContainers {
		add(corev1.Container(c.EphemeralContainerCommon), pod.Status.EphemeralContainerStatuses)
	}
	return all
}

func (q Question) container(pod *corev1.Pod, c container) []Use {
	var uses []Use
	for _, as := range waysOf(pod, &c.spec, q.Places) {
		u := Use{Workload: WorkloadOf(pod), Pod: pod.Name, Container: c.spec.Name, As: as}
		u.State = q.state(pod, c.status, as)
		u.Fresh = q.state(pod, c.status, AsFile) == Current
		if c.status != nil && c.status.State.Running != nil && (u.State == Old || u.State == Unsure) {
			since := c.status.State.Running.StartedAt.Time
			u.Since = &since
		}
		uses = append(uses, u)
	}
	return uses
}

// state judges one way in which a container has the value.
func (q Question) state(pod *corev1.Pod, status *corev1.ContainerStatus, as string) string {
	if q.Changed.IsZero() {
		return Old
	}
	if as == AsLive {
		if q.Now.Before(q.Changed.Add(kubeletSync)) {
			return Settling
		}
		return Assumed
	}
	if pod.CreationTimestamp.After(q.Changed.Add(apiAllowance)) {
		return Current // nothing in the pod is older than the pod
	}
	// A container that does not run has nothing, and starts no earlier than now.
	started, allowance := q.Now, nodeAllowance
	if status != nil && status.State.Running != nil {
		started = status.State.Running.StartedAt.Time
	}
	if as == AsFile {
		allowance = kubeletSync // a restart in place mounts what the kubelet had brought by then
	}
	switch {
	case started.Before(q.Changed.Add(-nodeAllowance)):
		return Old
	case !started.Before(q.Changed.Add(allowance)):
		return Current
	}
	return Unsure
}

// Summary counts containers by the worst that they have.
type Summary struct {
	Containers int `json:"containers"`
	Old        int `json:"old"`
	Unsure     int `json:"unsure"`
	Settling   int `json:"settling"`
	// Assumed counts those that started before the change and have a live directory.
	Assumed int `json:"assumed"`
}

// Summarise counts.
func Summarise(uses []Use) Summary {
	worst := map[[2]string]int{}
	ranks := []string{Current, Assumed, Settling, Unsure, Old}
	for _, u := range uses {
		rank := slices.Index(ranks, u.State)
		if u.State == Assumed && u.Fresh {
			rank = 0
		}
		id := [2]string{u.Pod, u.Container}
		worst[id] = max(worst[id], rank)
	}
	s := Summary{Containers: len(worst)}
	counts := []*int{new(int), &s.Assumed, &s.Settling, &s.Unsure, &s.Old}
	for _, rank := range worst {
		*counts[rank]++
	}
	return s
}

// Safe reports whether no container is known to have, or may have, an older value. Strict
// counts programs that may have read it from a live directory before.
func (s Summary) Safe(strict bool) bool {
	return s.Old+s.Unsure+s.Settling == 0 && (!strict || s.Assumed == 0)
}
