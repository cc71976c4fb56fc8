// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"strings"
)

// head is what the page begins with.
const head = `# Rights

<!-- Written by "make generate" from config/rbac. Change the comments and rules there. -->

Every right that Latchkey's manifests grant, with the reason for it. What the rights of the two processes come to if one of them is
taken over is in the [threat model](threat-model.md#if-a-process-is-taken-over). A resource without a group is of the core group.
`

// owner is what the page ends with: the roles that no manifest grants.
var owner = strings.NewReplacer(`"`, "`", "~~~", "```").Replace(`
## The owner of a namespace

The user of a namespace, by its label "latchkey.dev/user", needs no role for the REST API, as with the coder command line. The Kubernetes
API knows nothing of that label: without a role, the owner can use neither kubectl nor its plugin. An administrator of the namespace grants
these two, which are about UserSecrets and AgentSecrets alone:

~~~sh
kubectl -n alice create rolebinding latchkey-view-alice --clusterrole=latchkey-view --user=alice
kubectl -n alice create rolebinding latchkey-edit-alice --clusterrole=latchkey-edit --user=alice
~~~

"kubectl latchkey usage", "wait" and "doctor" also look at pods and workloads: the cluster's own role "view" in place of "latchkey-view" lets
them. "kubectl latchkey can-i set" says what is missing, and "whoami" who one is.
`)

// page prints the grants as Markdown, a section for each subject.
func page(grants []grant) []byte {
	var b bytes.Buffer
	b.WriteString(head)
	subject := ""
	for _, g := range grants {
		if g.subject != subject {
			subject = g.subject
			fmt.Fprintf(&b, "\n## %s\n\n| where | what | verbs | what for |\n| --- | --- | --- | --- |\n", subject)
		}
		if len(g.rules) == 0 {
			fmt.Fprintf(&b, "| %s | the cluster's own role `%s` | | %s |\n", g.where, g.role, g.reason)
		}
		for _, r := range g.rules {
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", g.where, what(r), code(r.Verbs), r.reason)
		}
	}
	b.WriteString(owner)
	return b.Bytes()
}

// what prints the resources or paths of a rule.
func what(r rule) string {
	text := code(append(resources(r), r.NonResourceURLs...))
	if len(r.ResourceNames) > 0 {
		text += ", only " + code(r.ResourceNames)
	}
	return text
}

// resources returns the resources of a rule with their groups.
func resources(r rule) []string {
	var out []string
	for _, group := range r.APIGroups {
		for _, resource := range r.Resources {
			// The group of a subresource stands behind the resource's own name.
			name, sub, isSub := strings.Cut(resource, "/")
			if group != "" {
				name += "." + group
			}
			if isSub {
				name += "/" + sub
			}
			out = append(out, name)
		}
	}
	return out
}

func code(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return "`" + strings.Join(words, "`, `") + "`"
}
