// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const rbacManifests = `# All that this file is about.

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

const wantTables = `
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

// TestReadRights_OfManifests_AreTablesOrRefused has a change of the manifests above, and
// what is said of what cannot be told.
func TestReadRights_OfManifests_AreTablesOrRefused(t *testing.T) {
	for name, tt := range map[string]struct{ from, to, refused string }{
		"as they are":                   {},
		"a rule without a reason":       {"# Asks others.", "", "rule 2 has no comment"},
		"a binding without a reason":    {"# Looks around.", "", "the binding of role guest: rule 1 has no comment"},
		"a role that aggregates others": {"rules:\n  - apiGroups", "aggregationRule: {}\nrules:\n  - apiGroups", "it is not known what ClusterRole reader grants"},
		"an object of another kind":     {"kind: RoleBinding\nmetadata: {name: guest", "kind: Secret\nmetadata: {name: guest", "it is not known what Secret guest grants"},
		"what is no YAML":               {"rules:", "rules", "rights.yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			if err := os.WriteFile(filepath.Join(folder, "rights.yaml"), []byte(strings.Replace(rbacManifests, tt.from, tt.to, 1)), 0o600); err != nil {
				t.Fatal(err)
			}
			rights, err := readRights(folder)
			if (err != nil) != (tt.refused != "") || err != nil && !strings.Contains(err.Error(), tt.refused) {
				t.Fatalf("error %v, want %q in it", err, tt.refused)
			}
			if diff := cmp.Diff(wantTables, string(rightsTables(rights))); err == nil && diff != "" {
				t.Errorf("tables (-want +got):\n%s", diff)
			}
		})
	}
}

// TestRights_OfTheServiceAccounts_AreNotTooMuch: which rights they have is what a change
// of docs/rbac.md shows; these they must never have. Who adds one says in the change why
// the process cannot do without it, and looks at what it comes to in docs/threat-model.md.
func TestRights_OfTheServiceAccounts_AreNotTooMuch(t *testing.T) {
	rights, err := readRights(root + "/config/rbac")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rights {
		account, is := strings.CutPrefix(r.subject, "ServiceAccount "+namespace+"/")
		if !is {
			continue
		}
		if account != "latchkey-controller" && account != "latchkey-server" {
			t.Errorf("%s has rights and is not known here", account)
		}
		words := fmt.Sprint(r.APIGroups, r.Resources, r.NonResourceURLs, r.Verbs)
		for _, word := range []string{"*", "escalate", "bind", "impersonate", "deletecollection", "rbac.authorization.k8s.io", "serviceaccounts", "pods"} {
			if strings.Contains(words, word) {
				t.Errorf("%s: %s is too much: %s", account, word, words)
			}
		}
		if account == "latchkey-server" && r.where == "everywhere" && slices.Contains(r.Resources, "secrets") {
			t.Errorf("the server must not see tenants' Secrets: %s", words)
		}
	}
}
