// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package projector_test

import (
	"testing"

	"github.com/latchkey-dev/latchkey/internal/projector"
)

// TestKeep_ManifestIsSentAgain_StoredProjectionStays sends a pod to replace a stored one. A pod that is wanted is what
// comes of it; without one, the pod stays as it was sent, and the API server judges it.
func TestKeep_ManifestIsSentAgain_StoredProjectionStays(t *testing.T) {
	const (
		sent   = `spec: {containers: [{name: app, $root, envFrom: [{configMapRef: {name: c}}], volumeMounts: [{name: v, mountPath: /v}]}], volumes: [{name: v, emptyDir: {}}]}`
		stored = `spec: {containers: [{name: app, $root, envFrom: [$agentEnv, $userEnv, {configMapRef: {name: c}}],
			volumeMounts: [$userMount, {name: v, mountPath: /v}, $agentMount]}], volumes: [$userVolume, {name: v, emptyDir: {}}, $agentVolume]}`
	)
	for name, tc := range map[string]struct{ stored, sent, want string }{
		"the manifest as it was first": {stored, sent, stored},
		"the stored pod itself":        {stored, stored, stored},
		"a pod that lost a part": {stored, `spec: {containers: [{name: app, $root, envFrom: [$userEnv, {configMapRef: {name: c}}],
			volumeMounts: [{name: v, mountPath: /v}, $agentMount]}], volumes: [{name: v, emptyDir: {}}, $agentVolume]}`, stored},
		"a pod that was not projected into gets nothing":     {sent, sent, ""},
		"a pod that was not projected into, and asks by now": {sent, `metadata: {annotations: {latchkey.dev/inject: "true"}}` + "\n" + sent, ""},
		"a pod that opts out by now": {stored, `metadata: {annotations: {latchkey.dev/inject: "false"}}` + "\n" + sent,
			`metadata: {annotations: {latchkey.dev/inject: "false"}}` + "\n" + stored},
		"init containers, in another order": {
			`spec: {initContainers: [{name: a, envFrom: [$userEnv]}, {name: b, envFrom: [$userEnv]}], containers: [{name: c, envFrom: [$userEnv]}]}`,
			`spec: {initContainers: [{name: b}, {name: a}], containers: [{name: c}, {name: d}]}`,
			`spec: {initContainers: [{name: b, envFrom: [$userEnv]}, {name: a, envFrom: [$userEnv]}], containers: [{name: c, envFrom: [$userEnv]}, {name: d}]}`,
		},
		"a list that is different for another reason is left to the API server": {
			`spec: {containers: [{name: c, envFrom: [$userEnv], volumeMounts: [$userMount, {name: v, mountPath: /v}]}], volumes: [$userVolume, {name: v, emptyDir: {}}]}`,
			`spec: {containers: [{name: c, envFrom: [{configMapRef: {name: c}}], volumeMounts: [{name: v, mountPath: /other}]}], volumes: [{name: latchkey-user, emptyDir: {}}]}`,
			"",
		},
	} {
		t.Run(name, func(t *testing.T) {
			stored, sent := parsePod(t, tc.stored), parsePod(t, tc.sent)
			want := sent
			if tc.want != "" {
				want = parsePod(t, tc.want)
			}
			beforeStored, beforeSent := stored.DeepCopy(), sent.DeepCopy()
			checkSame(t, "the pod that is kept", want, projector.Keep(stored, sent))
			checkSame(t, "the stored pod has changed", beforeStored, stored)
			checkSame(t, "the pod that was sent has changed", beforeSent, sent)
		})
	}
}
