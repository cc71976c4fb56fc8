// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package projector_test

import "testing"

func TestProjectMode(t *testing.T) {
	const (
		closed = ", volumes: [$userVolume, $netrcVolume]"
		open   = ", volumes: [$openUserVolume, $openNetrcVolume]"
	)
	// one is a pod with one container; mounts and volumes are what projection adds.
	one := func(pod, container, volumes string, wantWarnings ...string) projectCase {
		spec := func(mounts, volumes string) string {
			return "spec: {" + pod + "containers: [{name: app" + container + mounts + "}]" + volumes + "}"
		}
		return projectCase{
			pod: spec("", ""), content: withNetrc,
			wantPod:      spec(", volumeMounts: [$userMount, "+netrc("/root/.netrc")+"]", volumes),
			wantWarnings: append(wantWarnings, asOfStart),
		}
	}
	restricted := `, securityContext: {runAsUser: 1000, runAsNonRoot: true, allowPrivilegeEscalation: false,
		capabilities: {drop: [ALL]}, seccompProfile: {type: RuntimeDefault}}`
	mounts := ", volumeMounts: [$userMount, " + netrc("/root/.netrc") + "]"
	runProjectCases(t, map[string]projectCase{
		"root by the container":                     one("", ", $root", closed),
		"root by the pod":                           one("$root, ", "", closed),
		"the container's user goes before":          one("$root, ", ", securityContext: {runAsUser: 1}", open, readable),
		"any user that the image names":             one("", "", open, readable),
		"another user":                              one("", ", securityContext: {runAsUser: 1000}", open, readable),
		"anybody but root":                          one("", ", securityContext: {runAsNonRoot: true}", open, readable),
		"another user in the pod's group":           one("securityContext: {runAsUser: 1000, fsGroup: 1000}, ", "", closed),
		"any user that the image names, in a group": one("securityContext: {fsGroup: 0}, ", "", closed),
		"restricted, without a group":               one("", restricted, open, readable),
		"restricted, in a group":                    one("securityContext: {fsGroup: 1000}, ", restricted, closed),
		"one container of two is not root": {
			pod:          `spec: {containers: [{name: a, $root}, {name: b}]}`,
			content:      withNetrc,
			wantPod:      `spec: {containers: [{name: a, $root` + mounts + `}, {name: b` + mounts + `}]` + open + `}`,
			wantWarnings: []string{readable, asOfStart},
		},
		"a container that is skipped need not read": {
			pod:          "metadata: {annotations: {latchkey.dev/skip-containers: b}}\nspec: {containers: [{name: a, $root}, {name: b}]}",
			content:      withNetrc,
			wantPod:      "metadata: {annotations: {latchkey.dev/skip-containers: b}}\nspec: {containers: [{name: a, $root" + mounts + "}, {name: b}]" + closed + "}",
			wantWarnings: []string{asOfStart},
		},
		"variables need no mode": {
			pod: `spec: {containers: [{name: app}]}`, content: userEnv,
			wantPod: `spec: {containers: [{name: app, envFrom: [$userEnv]}]}`,
		},
	})
}
