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

func TestTheServiceAccountsHaveTheseRightsAndNoOthers(t *testing.T) {
	grants, err := read("../../config/rbac")
	if err != nil {
		t.Fatal(err)
	}
	verbs := map[string]map[string][]string{controllerAccount: {}, serverAccount: {}}
	for _, g := range grants {
		account, ok := verbs[g.subject]
		if !ok {
			if strings.HasPrefix(g.subject, "ServiceAccount") {
				t.Errorf("%s has rights and is not known here", g.subject)
			}
			continue
		}
		if len(g.rules) == 0 {
			account[g.where+": role "+g.role] = nil
		}
		for _, r := range g.rules {
			for _, right := range rights(r) {
				account[g.where+": "+right] = append(account[g.where+": "+right], r.Verbs...)
			}
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

// rights returns what a rule is about, a line for each resource, name and path.
func rights(r rule) []string {
	out := slices.Clone(r.NonResourceURLs)
	for _, resource := range resources(r) {
		if len(r.ResourceNames) == 0 {
			out = append(out, resource)
		}
		for _, name := range r.ResourceNames {
			out = append(out, resource+" named "+name)
		}
	}
	return out
}

// TestNobodyGetsWhatNobodyShouldHave looks at the list above, so that it stays true
// for whoever changes that one.
func TestNobodyGetsWhatNobodyShouldHave(t *testing.T) {
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
