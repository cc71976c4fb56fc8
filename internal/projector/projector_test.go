// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package projector_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/projector"
)

// projectCase is a pod before and after. Without wantPod, the pod stays as it is.
type projectCase struct {
	pod          string
	content      projector.Content
	options      projector.Options
	wantPod      string
	wantWarnings []string
	// handWired: the pod holds what looks like ours, so Unproject takes that away too.
	handWired bool
}

func runProjectCases(t *testing.T, cases map[string]projectCase) {
	t.Helper()
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if tc.wantPod == "" {
				tc.wantPod = tc.pod
			}
			pod, want := parsePod(t, tc.pod), parsePod(t, tc.wantPod)
			before := pod.DeepCopy()
			got := projector.Project(pod, tc.content, tc.options)
			if diff := cmp.Diff(want, got.Pod); diff != "" {
				t.Errorf("pod (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.wantWarnings, got.Warnings); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
			checkSame(t, "the pod that went in has changed", before, pod)
			checkIdempotent(t, got.Pod, tc.content, tc.options)
			if !tc.handWired {
				checkSame(t, "Unproject(projected pod) is not the pod before", before, projector.Unproject(got.Pod))
			}
		})
	}
}

// checkIdempotent checks that a projected pod stays as it is.
func checkIdempotent(t *testing.T, projected *corev1.Pod, content projector.Content, options projector.Options) {
	t.Helper()
	checkSame(t, "projecting again changes the pod", projected, projector.Project(projected, content, options).Pod)
}

// checkSame compares pods; an empty list is as good as none. A difference is looked for only where there is one, since
// that takes a thousand times as long.
func checkSame(t *testing.T, what string, want, got *corev1.Pod) {
	t.Helper()
	if !apiequality.Semantic.DeepEqual(want, got) {
		t.Errorf("%s (-want +got):\n%s", what, cmp.Diff(want, got, cmpopts.EquateEmpty()))
	}
}

func TestProjectEnvironment(t *testing.T) {
	runProjectCases(t, map[string]projectCase{
		"the bundle comes first, so the pod's own sources and variables win": {
			pod: `spec: {containers: [{name: app,
				envFrom: [{configMapRef: {name: settings}}, {secretRef: {name: own}}],
				env: [{name: TOKEN, value: mine}]}]}`,
			content: userEnv,
			wantPod: `spec: {containers: [{name: app,
				envFrom: [$userEnv, {configMapRef: {name: settings}}, {secretRef: {name: own}}],
				env: [{name: TOKEN, value: mine}]}]}`,
		},
		"of both bundles the user's comes later and wins": {
			pod:     `spec: {containers: [{name: app}]}`,
			content: projector.Content{UserEnv: "latchkey-user-env", AgentEnv: "latchkey-agent-env"},
			wantPod: `spec: {containers: [{name: app, envFrom: [$agentEnv, $userEnv]}]}`,
		},
		"only the agent's bundle": {
			pod:     `spec: {containers: [{name: app}]}`,
			content: projector.Content{AgentEnv: "latchkey-agent-env"},
			wantPod: `spec: {containers: [{name: app, envFrom: [$agentEnv]}]}`,
		},
		"a reference of the pod's own to the bundle stays where it is, with its prefix or its place": {
			pod: `spec: {containers: [{name: app, envFrom: [
				{prefix: MY_, secretRef: {name: latchkey-user-env, optional: true}},
				{configMapRef: {name: settings}}, $userEnv]}]}`,
			content: userEnv,
			wantPod: `spec: {containers: [{name: app, envFrom: [$userEnv,
				{prefix: MY_, secretRef: {name: latchkey-user-env, optional: true}},
				{configMapRef: {name: settings}}, $userEnv]}]}`,
		},
		"a required reference of the pod's own to the bundle is its own": {
			pod:     `spec: {containers: [{name: app, envFrom: [{secretRef: {name: latchkey-user-env}}]}]}`,
			content: userEnv,
			wantPod: `spec: {containers: [{name: app, envFrom: [$userEnv, {secretRef: {name: latchkey-user-env}}]}]}`,
		},
		"init containers, native sidecars and all containers get it": {
			pod: `spec: {
				initContainers: [{name: init}, {name: sidecar, restartPolicy: Always}],
				containers: [{name: app}, {name: helper}],
				ephemeralContainers: [{name: debug}]}`,
			content: userEnv,
			wantPod: `spec: {
				initContainers: [{name: init, envFrom: [$userEnv]}, {name: sidecar, restartPolicy: Always, envFrom: [$userEnv]}],
				containers: [{name: app, envFrom: [$userEnv]}, {name: helper, envFrom: [$userEnv]}],
				ephemeralContainers: [{name: debug}]}`,
		},
		"a Secret that is no bundle is not projected": {
			pod:     `spec: {containers: [{name: app}]}`,
			content: projector.Content{UserEnv: "database", UserFiles: "latchkey-agent-files"},
		},
		"no content, no change, not even of what the pod wired by hand": {
			pod:       `spec: {containers: [{name: app, envFrom: [$userEnv]}]}`,
			handWired: true,
		},
	})
}

func TestProjectFiles(t *testing.T) {
	runProjectCases(t, map[string]projectCase{
		"the live directory goes after the pod's own mounts and volumes": {
			pod: `spec: {
				containers: [{name: app, $root, volumeMounts: [$token, {name: data, mountPath: /data}]}],
				volumes: [{name: data, emptyDir: {}}, {name: kube-api-access, projected: {}}]}`,
			content: userFiles,
			wantPod: `spec: {
				containers: [{name: app, $root, volumeMounts: [$token, {name: data, mountPath: /data}, $userMount]}],
				volumes: [{name: data, emptyDir: {}}, {name: kube-api-access, projected: {}}, $userVolume]}`,
		},
		"a file with a path is mounted there too, from a volume of its own": {
			pod:     `spec: {containers: [{name: app, $root}]}`,
			content: withNetrc,
			wantPod: `spec: {containers: [{name: app, $root, volumeMounts: [$userMount, ` + netrc("/root/.netrc") + `]}],
				volumes: [$userVolume, $netrcVolume]}`,
			wantWarnings: []string{asOfStart},
		},
		"both kinds at once": {
			pod: `spec: {containers: [{name: app, $root}]}`, content: both,
			wantPod: `spec: {containers: [{name: app, $root, envFrom: [$agentEnv, $userEnv],
				volumeMounts: [$userMount, $agentMount, ` + netrc("/root/.netrc") + `]}],
				volumes: [$userVolume, $agentVolume, $netrcVolume]}`,
			wantWarnings: []string{asOfStart},
		},
		"two paths of one key share its empty file": {
			pod:     `spec: {containers: [{name: app, $root}]}`,
			content: files("netrc", "/a", "netrc", "/b"),
			wantPod: `spec: {containers: [{name: app, $root,
				volumeMounts: [$userMount, ` + netrc("/a") + `, ` + netrc("/b") + `]}], volumes: [$userVolume, $netrcVolume]}`,
			wantWarnings: []string{asOfStart},
		},
		"init containers, native sidecars and containers get the files, each at its own home": {
			pod: `spec: {
				initContainers: [{name: init, $root}, {name: sidecar, restartPolicy: Always, $root, env: [{name: HOME, value: /home/side}]}],
				containers: [{name: app, $root, env: [{name: HOME, value: /home/app}]}]}`,
			content: withNetrc,
			wantPod: `spec: {
				initContainers: [
					{name: init, $root, volumeMounts: [$userMount, ` + netrc("/root/.netrc") + `]},
					{name: sidecar, restartPolicy: Always, $root, env: [{name: HOME, value: /home/side}],
						volumeMounts: [$userMount, ` + netrc("/home/side/.netrc") + `]}],
				containers: [{name: app, $root, env: [{name: HOME, value: /home/app}],
					volumeMounts: [$userMount, ` + netrc("/home/app/.netrc") + `]}],
				volumes: [$userVolume, $netrcVolume]}`,
			wantWarnings: []string{asOfStart},
		},
		"files without the bundle of files are not placed": {
			pod:     `spec: {containers: [{name: app, $root}]}`,
			content: projector.Content{UserEnv: "latchkey-user-env", Files: []projector.File{{Key: "netrc", Path: "~/.netrc"}}},
			wantPod: `spec: {containers: [{name: app, $root, envFrom: [$userEnv]}]}`,
		},
		"the directories are where the options say": {
			pod:     `spec: {containers: [{name: app, $root}]}`,
			content: projector.Content{UserFiles: "latchkey-user-files", AgentFiles: "latchkey-agent-files"},
			options: projector.Options{UserDir: "/secrets/user/", AgentDir: "/secrets/agent"},
			wantPod: `spec: {containers: [{name: app, $root, volumeMounts: [
				{name: latchkey-user, mountPath: /secrets/user, readOnly: true},
				{name: latchkey-agent, mountPath: /secrets/agent, readOnly: true}]}], volumes: [$userVolume, $agentVolume]}`,
		},
		"directories that cannot be next to each other: the user's stays": {
			pod:     `spec: {containers: [{name: app, $root}]}`,
			content: projector.Content{UserFiles: "latchkey-user-files", AgentFiles: "latchkey-agent-files"},
			options: projector.Options{UserDir: "/secrets", AgentDir: "/secrets/agent"},
			wantPod: `spec: {containers: [{name: app, $root, volumeMounts: [
				{name: latchkey-user, mountPath: /secrets, readOnly: true}]}], volumes: [$userVolume]}`,
			wantWarnings: []string{`latchkey: directory "/secrets/agent" left out: another directory is in the way`},
		},
		"a key that no Secret can have is left out": {
			pod:          `spec: {containers: [{name: app, $root}]}`,
			content:      files("../netrc", "~/.netrc"),
			wantPod:      `spec: {containers: [{name: app, $root, volumeMounts: [$userMount]}], volumes: [$userVolume]}`,
			wantWarnings: []string{`latchkey: file "~/.netrc" left out: its key in the bundle is not valid`},
		},
	})
}

func TestProjectOptOut(t *testing.T) {
	runProjectCases(t, map[string]projectCase{
		"a pod that opts out is left alone, by-hand wiring included": {
			pod:     `{metadata: {annotations: {latchkey.dev/inject: "false"}}, spec: {containers: [{name: app, envFrom: [$userEnv]}]}}`,
			content: both, handWired: true,
		},
		"opting in is what would be anyway": {
			pod:     `{metadata: {annotations: {latchkey.dev/inject: "true"}}, spec: {containers: [{name: app}]}}`,
			content: userEnv,
			wantPod: `{metadata: {annotations: {latchkey.dev/inject: "true"}}, spec: {containers: [{name: app, envFrom: [$userEnv]}]}}`,
		},
		"another value does not opt out, and is told": {
			pod:          `{metadata: {annotations: {latchkey.dev/inject: "no"}}, spec: {containers: [{name: app}]}}`,
			content:      userEnv,
			wantPod:      `{metadata: {annotations: {latchkey.dev/inject: "no"}}, spec: {containers: [{name: app, envFrom: [$userEnv]}]}}`,
			wantWarnings: []string{`latchkey: annotation latchkey.dev/inject is ignored: it must be "true" or "false"`},
		},
		"containers and init containers that are to be skipped are left alone": {
			pod: `{metadata: {annotations: {latchkey.dev/skip-containers: "proxy, init"}},
				spec: {initContainers: [{name: init}], containers: [{name: proxy, envFrom: [$userEnv]}, {name: app, $root}]}}`,
			content: both, handWired: true,
			wantPod: `{metadata: {annotations: {latchkey.dev/skip-containers: "proxy, init"}},
				spec: {initContainers: [{name: init}], containers: [{name: proxy, envFrom: [$userEnv]},
				{name: app, $root, envFrom: [$agentEnv, $userEnv],
					volumeMounts: [$userMount, $agentMount, ` + netrc("/root/.netrc") + `]}],
				volumes: [$userVolume, $agentVolume, $netrcVolume]}}`,
			wantWarnings: []string{asOfStart},
		},
		"no volume is added if every container is skipped": {
			pod:     `{metadata: {annotations: {latchkey.dev/skip-containers: app}}, spec: {containers: [{name: app}]}}`,
			content: both,
		},
		"Windows by the pod's os": {
			pod: `spec: {os: {name: windows}, containers: [{name: app}]}`, content: both,
			wantWarnings: []string{"latchkey: no secrets in this pod: Windows is not supported"},
		},
		"Windows by the node selector": {
			pod: `spec: {nodeSelector: {kubernetes.io/os: windows}, containers: [{name: app}]}`, content: both,
			wantWarnings: []string{"latchkey: no secrets in this pod: Windows is not supported"},
		},
		"a mirror of a static pod may have no Secrets": {
			pod:     `{metadata: {annotations: {kubernetes.io/config.mirror: x}}, spec: {containers: [{name: app}]}}`,
			content: both,
		},
		"a pod in a user namespace is skipped": {
			pod: `spec: {hostUsers: false, containers: [{name: app}]}`, content: both,
			wantWarnings: []string{
				`latchkey: no secrets in this pod: it has hostUsers: false; annotate latchkey.dev/inject: "true" to inject`,
			},
		},
		"a pod in a user namespace can opt in": {
			pod:     `{metadata: {annotations: {latchkey.dev/inject: "true"}}, spec: {hostUsers: false, containers: [{name: app}]}}`,
			content: userEnv,
			wantPod: `{metadata: {annotations: {latchkey.dev/inject: "true"}}, spec: {hostUsers: false, containers: [{name: app, envFrom: [$userEnv]}]}}`,
		},
		"a pod that says that it uses the host's users is projected": {
			pod:     `spec: {hostUsers: true, containers: [{name: app}]}`,
			content: userEnv,
			wantPod: `spec: {hostUsers: true, containers: [{name: app, envFrom: [$userEnv]}]}`,
		},
	})
}

// The names are written down twice, since this package knows none of Latchkey's kinds.
func TestBundleNamesAreThoseOfTheAPI(t *testing.T) {
	want := projector.Content{
		UserEnv: v1alpha1.BundleUserEnv, UserFiles: v1alpha1.BundleUserFiles,
		AgentEnv: v1alpha1.BundleAgentEnv, AgentFiles: v1alpha1.BundleAgentFiles,
	}
	got := projector.Content{
		UserEnv: projector.UserEnvBundle, UserFiles: projector.UserFilesBundle,
		AgentEnv: projector.AgentEnvBundle, AgentFiles: projector.AgentFilesBundle,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("names of bundles (-API +projector):\n%s", diff)
	}
}
