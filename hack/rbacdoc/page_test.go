// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const manifest = `# All that this file is about.

# Reads what it is told to.
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reader, labels: {rbac.authorization.k8s.io/aggregate-to-view: "true"}}
rules:
  - apiGroups: ["", apps]
    resources: [things, things/status]
    resourceNames: [one]
    verbs: [get]
---
kind: Role
metadata: {name: writer, namespace: home}
rules:
  # Writes things,
  # and things alone.
  - {apiGroups: [""], resources: [things], verbs: [create, update]}
  # Asks others.
  - nonResourceURLs: [/seen]
    verbs: [get]
---
kind: RoleBinding
metadata: {name: writer, namespace: home}
roleRef: {kind: Role, name: writer}
subjects: [{kind: ServiceAccount, namespace: home, name: clerk}]
---
# Looks around.
kind: RoleBinding
metadata: {name: guest, namespace: away}
roleRef: {kind: Role, name: guest}
subjects: [{kind: ServiceAccount, namespace: home, name: clerk}]
`

const wantSections = `
## ServiceAccount home/clerk

| where | what | verbs | what for |
| --- | --- | --- | --- |
| in away | the cluster's own role ` + "`guest`" + ` | | Looks around. |
| in home | ` + "`things`" + ` | ` + "`create`, `update`" + ` | Writes things, and things alone. |
| in home | ` + "`/seen`" + ` | ` + "`get`" + ` | Asks others. |

## Users with the role view

| where | what | verbs | what for |
| --- | --- | --- | --- |
| where they have it | ` + "`things`, `things/status`, `things.apps`, `things.apps/status`, only `one`" + ` | ` + "`get`" + ` | Reads what it is told to. |
`

// folder writes a manifest and returns its folder.
func folder(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "rights.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestWrite_Manifests_BecomeTables(t *testing.T) {
	to := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(to, []byte("# Rights\n\n"+begin+"old"+end+"\n\nMore.\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := write(to, folder(t, manifest)); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(to)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("# Rights\n\n"+begin+wantSections+end+"\n\nMore.\n", string(got)); diff != "" {
		t.Errorf("page (-want +got):\n%s", diff)
	}
}

func TestRead_WhatCannotBeTold_IsRefused(t *testing.T) {
	for name, tt := range map[string]struct{ from, to, want string }{
		"a rule without a reason":       {"# Asks others.", "", "rule 2 has no comment"},
		"a binding without a reason":    {"# Looks around.", "", "the binding of role guest: rule 1 has no comment"},
		"a role that aggregates others": {"rules:\n  - apiGroups", "aggregationRule: {}\nrules:\n  - apiGroups", "it is not known what ClusterRole reader grants"},
		"an object of another kind":     {"kind: RoleBinding\nmetadata: {name: guest", "kind: Secret\nmetadata: {name: guest", "it is not known what Secret guest grants"},
		"what is no YAML":               {"rules:", "rules", "rights.yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(manifest, tt.from, tt.to, 1)
			if text == manifest {
				t.Fatal("nothing is replaced")
			}
			if _, err := read(folder(t, text)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("read = %v, want %q in it", err, tt.want)
			}
		})
	}
}
