// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package projector_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/latchkey-dev/latchkey/internal/projector"
)

// What Project adds, in the words of a manifest. Modes are decimal there: 256 is 0400, 292 is 0444.
var shorthand = strings.NewReplacer(
	"$userEnv", "{secretRef: {name: latchkey-user-env, optional: true}}",
	"$agentEnv", "{secretRef: {name: latchkey-agent-env, optional: true}}",
	"$userMount", "{name: latchkey-user, mountPath: /run/latchkey/user, readOnly: true}",
	"$agentMount", "{name: latchkey-agent, mountPath: /run/latchkey/agent, readOnly: true}",
	"$userVolume", "{name: latchkey-user, secret: {secretName: latchkey-user-files, optional: true, defaultMode: 256}}",
	"$openUserVolume", "{name: latchkey-user, secret: {secretName: latchkey-user-files, optional: true, defaultMode: 292}}",
	"$agentVolume", "{name: latchkey-agent, secret: {secretName: latchkey-agent-files, optional: true, defaultMode: 256}}",
	"$netrcVolume", pathsVolume("netrc", "256"),
	"$openNetrcVolume", pathsVolume("netrc", "292"),
	"$token", "{name: kube-api-access, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true}",
	"$root", "securityContext: {runAsUser: 0}",
)

func pathsVolume(keys, mode string) string {
	var items []string
	for key := range strings.SplitSeq(keys, ",") {
		items = append(items, "{path: "+key+
			`, fieldRef: {apiVersion: v1, fieldPath: "metadata.annotations['latchkey.dev/absent']"}}`)
	}
	return "{name: latchkey-user-paths, projected: {defaultMode: " + mode + ", sources: [" +
		"{downwardAPI: {items: [" + strings.Join(items, ", ") + "]}}, " +
		"{secret: {name: latchkey-user-files, optional: true}}]}}"
}

// netrc is a mount of the file ~/.netrc at a path.
func netrc(at string) string {
	return "{name: latchkey-user-paths, mountPath: " + at + ", subPath: netrc, readOnly: true}"
}

// parsePod reads a manifest with shorthand. An unknown field is an error, so no case tests less than it says.
func parsePod(t testing.TB, manifest string) *corev1.Pod {
	t.Helper()
	// The comment keeps ToJSON from taking YAML in braces for JSON.
	text, err := yaml.ToJSON([]byte("# pod\n" + shorthand.Replace(manifest)))
	if err != nil {
		t.Fatalf("manifest: %v\n%s", err, manifest)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	pod := &corev1.Pod{}
	if err := decoder.Decode(pod); err != nil {
		t.Fatalf("manifest: %v\n%s", err, manifest)
	}
	return pod
}

// Contents of bundles.
var (
	userEnv   = projector.Content{UserEnv: "latchkey-user-env"}
	userFiles = projector.Content{UserFiles: "latchkey-user-files"}
	withNetrc = files("netrc", "~/.netrc")
	both      = projector.Content{
		UserEnv: "latchkey-user-env", UserFiles: "latchkey-user-files",
		AgentEnv: "latchkey-agent-env", AgentFiles: "latchkey-agent-files",
		Files: []projector.File{{Key: "netrc", Path: "~/.netrc"}},
	}
)

// files is a content of user files, given as key, path, key, path, ….
func files(keysAndPaths ...string) projector.Content {
	c := userFiles
	for i := 0; i < len(keysAndPaths); i += 2 {
		c.Files = append(c.Files, projector.File{Key: keysAndPaths[i], Path: keysAndPaths[i+1]})
	}
	return c
}

// Warnings.
const (
	asOfStart = "latchkey: files at paths of their own are as of the container's start, the live directory is current"
	readable  = "latchkey: secret files are readable by all users in the containers: set fsGroup, or runAsUser: 0"
)
