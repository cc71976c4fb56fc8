// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var (
	changed = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	places  = []Place{{Secret: "env", Key: "TOKEN"}, {Secret: "files", Key: "token"}}
)

// podOf returns a pod that was created so long after the change, with one container that
// started so long after it.
func podOf(created, started time.Duration, edit func(*corev1.Pod)) corev1.Pod {
	pod := corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "p", CreationTimestamp: metav1.NewTime(changed.Add(created))},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c"}}},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{{
			Name: "c", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(changed.Add(started))}},
		}}},
	}
	edit(&pod)
	return pod
}

func envFrom(pod *corev1.Pod) {
	pod.Spec.Containers[0].EnvFrom = []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "env"}}}}
}

// mount mounts a volume with the files at "" or a subPath.
func mount(subPath string, items ...corev1.KeyToPath) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		pod.Spec.Volumes = []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "files", Items: items}}}}
		pod.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "v", SubPath: subPath}}
	}
}

func waiting(pod *corev1.Pod) {
	pod.Status.ContainerStatuses[0].State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{}}
}

func both(edits ...func(*corev1.Pod)) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		for _, e := range edits {
			e(pod)
		}
	}
}

func TestOf_Times_GiveStates(t *testing.T) {
	const s, m, h = time.Second, time.Minute, time.Hour
	for name, tt := range map[string]struct {
		created, started, now time.Duration
		edit                  func(*corev1.Pod)
		want                  string
	}{
		"a variable of before":                               {-h, -h, h, envFrom, Old},
		"a variable of a node's allowance before":            {-h, -31 * s, h, envFrom, Old},
		"a variable within the allowance before":             {-h, -29 * s, h, envFrom, Unsure},
		"a variable within the allowance after":              {-h, 29 * s, h, envFrom, Unsure},
		"a variable of a container that restarted after":     {-h, 30 * s, h, envFrom, Current},
		"a variable of a pod created after, whatever starts": {3 * s, -h, h, envFrom, Current},
		"a variable of a pod created within the allowance":   {2 * s, 3 * s, h, envFrom, Unsure},
		"a variable of a container that waits":               {-h, 0, h, both(envFrom, waiting), Current},
		"a variable of one that waits right after":           {-h, 0, 10 * s, both(envFrom, waiting), Unsure},
		"a file of before":                                   {-h, -h, h, mount("token"), Old},
		"a file of a pod created after":                      {3 * s, 4 * s, h, mount("token"), Current},
		"a file of a container restarted too early":          {-h, 119 * s, h, mount("token"), Unsure},
		"a file of a container restarted two minutes after":  {-h, 2 * m, h, mount("token"), Current},
		"a live directory right after":                       {-h, -h, 119 * s, mount(""), Settling},
		"a live directory later":                             {-h, -h, 2 * m, mount(""), Assumed},
		"a live directory of a new pod":                      {h, h, 2 * h, mount(""), Assumed},
	} {
		t.Run(name, func(t *testing.T) {
			got := Of(Question{Places: places, Changed: changed, Now: changed.Add(tt.now)}, []corev1.Pod{podOf(tt.created, tt.started, tt.edit)})
			if len(got) != 1 || got[0].State != tt.want {
				t.Errorf("Of() = %+v, want one use that is %s", got, tt.want)
			}
		})
	}
}

func TestOf_ChangeUnknown_EverythingMayBeOld(t *testing.T) {
	got := Of(Question{Places: places, Now: changed}, []corev1.Pod{podOf(time.Hour, time.Hour, mount(""))})
	if len(got) != 1 || got[0].State != Old {
		t.Errorf("Of() = %+v, want old", got)
	}
}

func TestOf_Specs_GiveWays(t *testing.T) {
	env := func(list ...corev1.EnvVar) func(*corev1.Pod) {
		return func(pod *corev1.Pod) { pod.Spec.Containers[0].Env = list }
	}
	ref := func(secret, key string) *corev1.EnvVarSource {
		return &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: secret}, Key: key}}
	}
	prefixed := func(pod *corev1.Pod) { envFrom(pod); pod.Spec.Containers[0].EnvFrom[0].Prefix = "X_" }
	projected := func(pod *corev1.Pod) {
		mount("")(pod)
		pod.Spec.Volumes[0].VolumeSource = corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
			{Secret: &corev1.SecretProjection{LocalObjectReference: corev1.LocalObjectReference{Name: "files"}}},
		}}}
	}
	expression := func(pod *corev1.Pod) { mount("")(pod); pod.Spec.Containers[0].VolumeMounts[0].SubPathExpr = "$(X)" }
	phase := func(p corev1.PodPhase) func(*corev1.Pod) {
		return func(pod *corev1.Pod) { envFrom(pod); pod.Status.Phase = p }
	}
	terminated := func(pod *corev1.Pod) {
		envFrom(pod)
		pod.Status.ContainerStatuses[0].State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{}}
	}
	deleted := func(pod *corev1.Pod) { envFrom(pod); pod.DeletionTimestamp = &metav1.Time{Time: changed} }
	for name, tt := range map[string]struct {
		edit func(*corev1.Pod)
		want []string
	}{
		"nothing":                                       {func(*corev1.Pod) {}, nil},
		"envFrom of the bundle":                         {envFrom, []string{AsVariable}},
		"a prefix gives another name":                   {both(prefixed, env(corev1.EnvVar{Name: "TOKEN", Value: "own"})), []string{AsVariable}},
		"the pod's own variable shadows it":             {both(envFrom, env(corev1.EnvVar{Name: "TOKEN", Value: "own"})), nil},
		"an empty variable of the pod shadows it":       {both(envFrom, env(corev1.EnvVar{Name: "TOKEN"})), nil},
		"one that is shadowed after it was expanded":    {both(envFrom, env(corev1.EnvVar{Name: "A", Value: "x$(TOKEN)"}, corev1.EnvVar{Name: "TOKEN"})), []string{AsVariable}},
		"one that shadows itself with what it was":      {both(envFrom, env(corev1.EnvVar{Name: "TOKEN", Value: "$(TOKEN)"})), []string{AsVariable}},
		"one that is expanded after it was shadowed":    {both(envFrom, env(corev1.EnvVar{Name: "TOKEN"}, corev1.EnvVar{Name: "A", Value: "$(TOKEN)"})), nil},
		"a reference to the key":                        {env(corev1.EnvVar{Name: "A", ValueFrom: ref("env", "TOKEN")}), []string{AsVariable}},
		"a reference to the other bundle":               {env(corev1.EnvVar{Name: "A", ValueFrom: ref("files", "token")}), []string{AsVariable}},
		"a reference to another key":                    {env(corev1.EnvVar{Name: "A", ValueFrom: ref("env", "OTHER")}), nil},
		"a reference that a later one shadows":          {env(corev1.EnvVar{Name: "A", ValueFrom: ref("env", "TOKEN")}, corev1.EnvVar{Name: "A", Value: "own"}), nil},
		"a directory":                                   {mount(""), []string{AsLive}},
		"a directory of another key":                    {mount("", corev1.KeyToPath{Key: "other", Path: "token"}), nil},
		"a subPath of the key":                          {mount("token"), []string{AsFile}},
		"a subPath of another key":                      {mount("other"), nil},
		"a subPath of an item":                          {mount("a/b", corev1.KeyToPath{Key: "token", Path: "a/b"}), []string{AsFile}},
		"a subPath of a directory of items":             {mount("a", corev1.KeyToPath{Key: "token", Path: "a/b"}), []string{AsFile}},
		"a subPath that nobody can read":                {expression, []string{AsFile}},
		"a projected volume":                            {projected, []string{AsLive}},
		"a volume that is not mounted":                  {func(pod *corev1.Pod) { mount("")(pod); pod.Spec.Containers[0].VolumeMounts = nil }, nil},
		"a pod that is done":                            {phase(corev1.PodSucceeded), nil},
		"a pod that failed":                             {phase(corev1.PodFailed), nil},
		"a pod whose node does not answer":              {phase(corev1.PodUnknown), []string{AsVariable}},
		"a container that ended":                        {terminated, nil},
		"a pod that is being deleted has it till it is": {deleted, []string{AsVariable}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, u := range Of(Question{Places: places, Changed: changed, Now: changed.Add(time.Hour)}, []corev1.Pod{podOf(-time.Hour, -time.Hour, tt.edit)}) {
				got = append(got, u.As)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("ways (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOf_Owners_GiveWorkloads(t *testing.T) {
	controller := true
	for name, tt := range map[string]struct{ kind, owner, hash, want string }{
		"a Deployment":           {"ReplicaSet", "web-7c9", "7c9", "deploy/web"},
		"a ReplicaSet by itself": {"ReplicaSet", "web", "", "replicaset/web"},
		"a StatefulSet":          {"StatefulSet", "db", "", "sts/db"},
		"a DaemonSet":            {"DaemonSet", "log", "", "ds/log"},
		"a Job":                  {"Job", "once", "", "job/once"},
		"nobody":                 {"", "", "", "pod/p"},
	} {
		t.Run(name, func(t *testing.T) {
			pod := podOf(0, 0, func(pod *corev1.Pod) {
				envFrom(pod)
				pod.Labels = map[string]string{"pod-template-hash": tt.hash}
				if tt.kind != "" {
					pod.OwnerReferences = []metav1.OwnerReference{{Kind: tt.kind, Name: tt.owner, Controller: &controller}}
				}
			})
			if got := Of(Question{Places: places, Now: changed}, []corev1.Pod{pod}); len(got) != 1 || got[0].Workload != tt.want {
				t.Errorf("Of() = %+v, want workload %s", got, tt.want)
			}
		})
	}
}

func TestOf_ContainersOfEveryKind_AreSeen(t *testing.T) {
	pod := podOf(-time.Hour, -time.Hour, func(pod *corev1.Pod) {
		envFrom(pod)
		from := pod.Spec.Containers[0].EnvFrom
		pod.Spec.InitContainers = []corev1.Container{{Name: "sidecar", EnvFrom: from}}
		pod.Spec.EphemeralContainers = []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "debug", EnvFrom: from}}}
	})
	var got []string
	for _, u := range Of(Question{Places: places, Now: changed}, []corev1.Pod{pod}) {
		got = append(got, u.Container)
	}
	if diff := cmp.Diff([]string{"c", "debug", "sidecar"}, got); diff != "" {
		t.Errorf("containers (-want +got):\n%s", diff)
	}
}

func TestSafe(t *testing.T) {
	for name, tt := range map[string]struct {
		uses             []Use
		want, wantStrict bool
	}{
		"nobody":                     {nil, true, true},
		"a current one":              {[]Use{{State: Current}}, true, true},
		"an old one":                 {[]Use{{State: Current}, {State: Old}}, false, false},
		"an unsure one":              {[]Use{{State: Unsure}}, false, false},
		"a settling one":             {[]Use{{State: Settling}}, false, false},
		"an assumed one":             {[]Use{{State: Assumed}}, true, false},
		"an assumed one that is new": {[]Use{{State: Assumed, Fresh: true}}, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := Summarise(tt.uses)
			if s.Safe(false) != tt.want || s.Safe(true) != tt.wantStrict {
				t.Errorf("Safe = %v, strict %v; want %v, %v", s.Safe(false), s.Safe(true), tt.want, tt.wantStrict)
			}
		})
	}
}
