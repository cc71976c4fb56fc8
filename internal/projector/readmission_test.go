// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package projector_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/latchkey-dev/latchkey/internal/projector"
)

// TestProjectAgain is admission that is invoked again after another webhook has changed the projected pod.
func TestProjectAgain(t *testing.T) {
	const first = `spec: {containers: [{name: app, $root, envFrom: [{configMapRef: {name: c}}]}]}`
	mounts := "[$userMount, $agentMount, " + netrc("/root/.netrc") + "]"
	app := "{name: app, $root, envFrom: [$agentEnv, $userEnv, {configMapRef: {name: c}}], volumeMounts: " + mounts + "}"
	volumes := ", volumes: [$userVolume, $agentVolume, $netrcVolume]"
	projected := "spec: {containers: [" + app + "]" + volumes + "}"

	for name, tc := range map[string]struct {
		pod          string // the projected pod as it comes back
		content      projector.Content
		wantPod      string
		wantWarnings []string
	}{
		"nothing has changed": {
			pod: projected, content: both, wantPod: projected, wantWarnings: []string{asOfStart},
		},
		"a container, an init container and a volume have been added: they follow, the rest is as it was": {
			pod: "spec: {initContainers: [{name: wait, $root}], containers: [" + app + ", {name: proxy, $root, volumeMounts: [{name: certs, mountPath: /certs}]}]" +
				", volumes: [$userVolume, $agentVolume, $netrcVolume, {name: certs, emptyDir: {}}]}",
			content: both,
			wantPod: "spec: {initContainers: [{name: wait, $root, envFrom: [$agentEnv, $userEnv], volumeMounts: " + mounts + "}], containers: [" + app +
				", {name: proxy, $root, envFrom: [$agentEnv, $userEnv], volumeMounts: [{name: certs, mountPath: /certs}, $userMount, $agentMount, " + netrc("/root/.netrc") + "]}]" +
				", volumes: [$userVolume, $agentVolume, $netrcVolume, {name: certs, emptyDir: {}}]}",
			wantWarnings: []string{asOfStart},
		},
		"a container that is not root opens the files to it": {
			pod: "spec: {containers: [{name: app, $root, envFrom: [{configMapRef: {name: c}}], volumeMounts: [$userMount, " + netrc("/root/.netrc") + "]}" +
				", {name: proxy}], volumes: [$userVolume, $netrcVolume]}", content: withNetrc,
			wantPod: "spec: {containers: [{name: app, $root, envFrom: [{configMapRef: {name: c}}], volumeMounts: [$userMount, " + netrc("/root/.netrc") + "]}" +
				", {name: proxy, volumeMounts: [$userMount, " + netrc("/root/.netrc") + "]}], volumes: [$openUserVolume, $openNetrcVolume]}",
			wantWarnings: []string{readable, asOfStart},
		},
		"mounts between and after ours stay where they are": {
			pod: `spec: {containers: [{name: app, $root, volumeMounts: [{name: a, mountPath: /a}, $userMount, {name: b, mountPath: /b}]}],
				volumes: [{name: a, emptyDir: {}}, $userVolume, {name: b, emptyDir: {}}]}`,
			content: userFiles,
			wantPod: `spec: {containers: [{name: app, $root, volumeMounts: [{name: a, mountPath: /a}, $userMount, {name: b, mountPath: /b}]}],
				volumes: [{name: a, emptyDir: {}}, $userVolume, {name: b, emptyDir: {}}]}`,
		},
		"a path that another webhook has mounted since is left to the pod": {
			pod: "spec: {containers: [{name: app, $root, volumeMounts: [$userMount, " + netrc("/root/.netrc") + ", {name: a, mountPath: /root/.netrc}]}]" +
				", volumes: [$userVolume, $netrcVolume, {name: a, emptyDir: {}}]}",
			content: withNetrc,
			wantPod: "spec: {containers: [{name: app, $root, volumeMounts: [$userMount, {name: a, mountPath: /root/.netrc}]}]" +
				", volumes: [$userVolume, {name: a, emptyDir: {}}]}",
			wantWarnings: []string{`latchkey: file "~/.netrc" left out: left to the pod, which mounts that path`},
		},
		"the bundles have grown in between": {
			pod: "spec: {containers: [{name: app, $root, envFrom: [$userEnv, {configMapRef: {name: c}}], volumeMounts: [$userMount, {name: a, mountPath: /a}]}]" +
				", volumes: [$userVolume, {name: a, emptyDir: {}}]}",
			content: both,
			wantPod: "spec: {containers: [{name: app, $root, envFrom: [$agentEnv, $userEnv, {configMapRef: {name: c}}], volumeMounts: [$userMount, {name: a, mountPath: /a}, $agentMount, " + netrc("/root/.netrc") + "]}]" +
				", volumes: [$userVolume, {name: a, emptyDir: {}}, $agentVolume, $netrcVolume]}",
			wantWarnings: []string{asOfStart},
		},
		"the bundles have shrunk in between": {
			pod: projected, content: userEnv,
			wantPod: "spec: {containers: [{name: app, $root, envFrom: [$userEnv, {configMapRef: {name: c}}]}]}",
		},
		"the container has opted out in between: no mount is left without its volume": {
			pod:     "metadata: {annotations: {latchkey.dev/skip-containers: app}}\n" + projected,
			content: both,
			wantPod: "metadata: {annotations: {latchkey.dev/skip-containers: app}}\n" +
				"spec: {containers: [{name: app, $root, envFrom: [$agentEnv, $userEnv, {configMapRef: {name: c}}]}]}",
		},
	} {
		t.Run(name, func(t *testing.T) {
			pod, want := parsePod(t, tc.pod), parsePod(t, tc.wantPod)
			got := projector.Project(pod, tc.content, projector.Options{})
			if diff := cmp.Diff(want, got.Pod); diff != "" {
				t.Errorf("pod (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.wantWarnings, got.Warnings); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
			checkIdempotent(t, got.Pod, tc.content, projector.Options{})
		})
	}

	got := projector.Project(parsePod(t, first), both, projector.Options{})
	if diff := cmp.Diff(parsePod(t, projected), got.Pod); diff != "" {
		t.Errorf("the pod of these cases is not what a first admission makes (-want +got):\n%s", diff)
	}
}
