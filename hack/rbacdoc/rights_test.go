// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	controllerAccount = "ServiceAccount latchkey-system/latchkey-controller"
	serverAccount     = "ServiceAccount latchkey-system/latchkey-server"
)

// wantRights are all rights of both service accounts. Whoever adds one here says in
// the change why the process cannot do without it, and looks at what it comes to in
// docs/threat-model.md.
var wantRights = map[string][]string{
	controllerAccount: {
		"everywhere: agentsecrets.latchkey.dev get list patch watch",
		"everywhere: agentsecrets.latchkey.dev/status update",
		"everywhere: apiservices.apiregistration.k8s.io list watch",
		"everywhere: apiservices.apiregistration.k8s.io named v1.golem.latchkey.dev create delete get patch update",
		"everywhere: apiservices.apiregistration.k8s.io named v2.coder.latchkey.dev create delete get patch update",
		"everywhere: daemonsets.apps get list patch watch",
		"everywhere: deployments.apps get list patch watch",
		"everywhere: events.events.k8s.io create patch",
		"everywhere: mutatingwebhookconfigurations.admissionregistration.k8s.io list watch",
		"everywhere: mutatingwebhookconfigurations.admissionregistration.k8s.io named latchkey create get patch update",
		"everywhere: secrets create delete get list patch watch",
		"everywhere: statefulsets.apps get list patch watch",
		"everywhere: usersecrets.latchkey.dev delete get list patch watch",
		"everywhere: usersecrets.latchkey.dev/status update",
		"in latchkey-system: configmaps create get list update watch",
		"in latchkey-system: endpointslices.discovery.k8s.io list watch",
		"in latchkey-system: events create patch",
		"in latchkey-system: leases.coordination.k8s.io create get update",
		"in latchkey-system: secrets update",
	},
	serverAccount: {
		"everywhere: agentsecrets.latchkey.dev create delete get list patch update watch",
		"everywhere: namespaces get list watch",
		"everywhere: subjectaccessreviews.authorization.k8s.io create",
		"everywhere: tokenreviews.authentication.k8s.io create",
		"everywhere: usersecrets.latchkey.dev create delete get list patch update watch",
		"in kube-system: role extension-apiserver-authentication-reader",
		"in latchkey-system: leases.coordination.k8s.io create",
		"in latchkey-system: leases.coordination.k8s.io named latchkey-server get list update watch",
		"in latchkey-system: secrets get list watch",
	},
}

func TestRights_ServiceAccounts_HaveTheseAndNoOthers(t *testing.T) {
	all, err := read("../../config/rbac")
	if err != nil {
		t.Fatal(err)
	}
	verbs := map[string]map[string][]string{controllerAccount: {}, serverAccount: {}}
	for _, r := range all {
		account, ok := verbs[r.subject]
		if !ok {
			if strings.HasPrefix(r.subject, "ServiceAccount") {
				t.Errorf("%s has rights and is not known here", r.subject)
			}
			continue
		}
		if r.role != "" {
			account[r.where+": role "+r.role] = nil
		}
		for _, target := range named(r) {
			account[r.where+": "+target] = append(account[r.where+": "+target], r.Verbs...)
		}
	}
	got := map[string][]string{}
	for subject, account := range verbs {
		for right, list := range account {
			slices.Sort(list)
			got[subject] = append(got[subject], strings.Join(append([]string{right}, slices.Compact(list)...), " "))
		}
		slices.Sort(got[subject])
	}
	if diff := cmp.Diff(wantRights, got); diff != "" {
		t.Errorf("rights (-want +got):\n%s", diff)
	}
}

// named returns what a right is about, a line for each resource, name and path.
func named(r right) []string {
	var out []string
	for _, target := range r.targets() {
		if len(r.ResourceNames) == 0 {
			out = append(out, target)
		}
		for _, name := range r.ResourceNames {
			out = append(out, target+" named "+name)
		}
	}
	return out
}

// TestRights_OfAnybody_AreNotTooMuch looks at the list above, so that it stays true
// for whoever changes that one.
func TestRights_OfAnybody_AreNotTooMuch(t *testing.T) {
	for subject, rights := range wantRights {
		for _, right := range rights {
			if strings.Contains(right, "*") {
				t.Errorf("%s: %s: everything is too much", subject, right)
			}
			for _, word := range []string{"escalate", "bind", "impersonate", "deletecollection", "rbac.authorization.k8s.io", "serviceaccounts", "pods"} {
				if strings.Contains(right, word) {
					t.Errorf("%s: %s: it is too much", subject, right)
				}
			}
			if subject == serverAccount && strings.HasPrefix(right, "everywhere: secrets") {
				t.Errorf("%s: %s: it must not see tenants' Secrets", subject, right)
			}
		}
	}
}
