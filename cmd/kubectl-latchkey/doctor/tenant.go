// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/usage"
	"github.com/latchkey-dev/latchkey/internal/bundle"
	"github.com/latchkey-dev/latchkey/internal/policy/limits"
)

// TenantFacts are what is known of a namespace.
type TenantFacts struct {
	// Name is the namespace's.
	Name string
	// Now is the present time.
	Now time.Time
	// Namespace is the namespace.
	Namespace Read[corev1.Namespace]
	// Tenants are all namespaces with a label of a user or an environment.
	Tenants Read[[]corev1.Namespace]
	// Users and Agents are the objects.
	Users, Agents Read[[]cluster.Item]
	// Limits are a tenant's.
	Limits limits.Limits
	// Pods are those of the namespace, Restarts its workloads, by the name that usage
	// gives them, and whether they ask for restarts.
	Pods     Read[[]corev1.Pod]
	Restarts Read[map[string]bool]
	// Places are where the values of the namespace lie.
	Places []usage.Place
	// Probe is what dry runs came to.
	Probe Probe
}

// Tenant judges a namespace.
func Tenant(f TenantFacts) []Finding {
	found := labels(f)
	if f.Namespace.Absent {
		return found
	}
	for _, check := range []func(TenantFacts) []Finding{probed, secrets, full, injected, optedOut, shadowed, consumers} {
		found = append(found, check(f)...)
	}
	return found
}

func (f TenantFacts) label(text string) string {
	return "kubectl label namespace " + f.Name + " " + text
}

func labels(f TenantFacts) []Finding {
	const check, injection = "Labels", "Injection"
	if unread, is := f.Namespace.unread(check); is {
		return unread
	}
	if f.Namespace.Absent {
		return []Finding{failed(check, "kubectl create namespace "+f.Name, "there is no namespace %s", f.Name)}
	}
	own := f.Namespace.Value.Labels
	user, environment := own[v1alpha1.LabelUser], own[v1alpha1.LabelEnvironment]
	var found []Finding
	switch {
	case user == "" && environment == "":
		found = append(found, warn(check, f.label(v1alpha1.LabelUser+"="+f.Name), "it is neither a user nor an environment, so the REST APIs do not know it"))
	default:
		found = contested(f)
		var is []string
		if user != "" {
			is = append(is, "user "+user)
		}
		if environment != "" {
			is = append(is, "environment "+environment)
		}
		found = orOK(found, check, "it is %s", strings.Join(is, " and "))
	}
	switch value := own[v1alpha1.LabelInjection]; value {
	case v1alpha1.InjectionEnabled, v1alpha1.InjectionOptIn:
		return append(found, ok(injection, "%s", value))
	case "":
		return append(found, warn(injection, f.label(v1alpha1.LabelInjection+"=enabled"), "it is not enabled, so pods get no secrets"))
	default:
		return append(found, failed(injection, f.label(v1alpha1.LabelInjection+"=enabled --overwrite"), "label %s is %q, and has to be enabled or opt-in: pods get no secrets", v1alpha1.LabelInjection, value))
	}
}

// contested finds what an older namespace claims as well, and therefore has.
func contested(f TenantFacts) []Finding {
	const check = "Labels"
	if unread, is := f.Tenants.unread(check); is {
		return unread
	}
	var found []Finding
	own := &f.Namespace.Value
	for _, claim := range claimsOf(own) {
		for i := range f.Tenants.Value {
			other := &f.Tenants.Value[i]
			if other.UID != own.UID && older(other, own) && slices.Contains(claimsOf(other), claim) {
				found = append(found, failed(check, "kubectl get namespaces -l "+v1alpha1.LabelUser+" -L "+v1alpha1.LabelUser+","+v1alpha1.LabelUserID,
					"namespace %s, which is older, is %s too, so the REST APIs mean that one", other.Name, claim))
				break
			}
		}
	}
	return found
}

func older(a, b *corev1.Namespace) bool {
	if n := a.CreationTimestamp.Compare(b.CreationTimestamp.Time); n != 0 {
		return n < 0
	}
	return a.UID < b.UID
}

// claimsOf names what a namespace is, as package directory of the server has it: the
// oldest that claims something has it.
func claimsOf(n *corev1.Namespace) []string {
	var all []string
	if user := n.Labels[v1alpha1.LabelUser]; user != "" {
		all = append(all, "user "+user)
		if id := n.Labels[v1alpha1.LabelUserID]; id != "" {
			all = append(all, "the user of id "+strings.ToLower(id))
		}
		for _, subject := range Subjects(n) {
			all = append(all, "the user of subject "+subject)
		}
	}
	if id := n.Labels[v1alpha1.LabelEnvironmentID]; id != "" && n.Labels[v1alpha1.LabelEnvironment] != "" {
		all = append(all, "the environment of id "+strings.ToLower(id))
	}
	return all
}

// Subjects returns the Kubernetes user names that are the user of a namespace.
func Subjects(n *corev1.Namespace) []string {
	text, has := n.Annotations[v1alpha1.AnnotationSubjects]
	if !has {
		return []string{n.Labels[v1alpha1.LabelUser]}
	}
	var all []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			all = append(all, line)
		}
	}
	return all
}

// Items returns the objects that could be read.
func (f TenantFacts) Items() []cluster.Item { return slices.Concat(f.Users.Value, f.Agents.Value) }

func secrets(f TenantFacts) []Finding {
	const check = "Secrets"
	var found []Finding
	for _, kind := range []Read[[]cluster.Item]{f.Users, f.Agents} {
		if kind.Absent {
			return nil // the API is not served, which the probe says
		}
		unread, _ := kind.unread(check)
		found = append(found, unread...)
	}
	ready := 0
	for _, i := range f.Items() {
		reason, bad := notReady(i, f.Now)
		if !bad {
			ready++
			continue
		}
		text := reason
		if c := i.Ready(); c != nil {
			text += ": " + c.Message
		}
		found = append(found, failed(check, fmt.Sprintf("kubectl latchkey describe %s -n %s", i.Meta().Name, f.Name), "%s %s is not ready: %s", i.Kind(), i.Meta().Name, text))
	}
	if len(found) == 0 {
		found = []Finding{allReady(check, ready)}
	}
	return found
}

// nearly is the part of a limit, in percent, from which on it is worth a word.
const nearly = 90

func full(f TenantFacts) []Finding {
	const check = "Limits"
	if !f.Users.known() || !f.Agents.known() {
		return nil // said already
	}
	var user, agent limits.Use
	for _, i := range f.Users.Value {
		user = user.Add(bundle.UserUse(i.User))
	}
	for _, i := range f.Agents.Value {
		agent = agent.Add(bundle.AgentUse(i.Agent))
	}
	var found []Finding
	for _, l := range []struct {
		what    string
		is, max int
	}{
		{"user secrets", user.Secrets, f.Limits.User.Secrets},
		{"bytes of user secrets", user.ValueBytes, f.Limits.User.ValueBytes},
		{"bytes of user secrets in variables", user.EnvValueBytes, f.Limits.User.EnvValueBytes},
		{"bytes of Secret " + v1alpha1.BundleUserEnv, user.EnvBundle, f.Limits.BundleBytes},
		{"bytes of Secret " + v1alpha1.BundleUserFiles, user.FilesBundle, f.Limits.BundleBytes},
		{"agent secrets", agent.Secrets, f.Limits.Agent.Secrets},
		{"bytes of agent secrets", agent.ValueBytes, f.Limits.Agent.TotalValueBytes},
		{"bytes of Secret " + v1alpha1.BundleAgentEnv, agent.EnvBundle, f.Limits.BundleBytes},
		{"bytes of Secret " + v1alpha1.BundleAgentFiles, agent.FilesBundle, f.Limits.BundleBytes},
	} {
		if l.max > 0 && 100*l.is > nearly*l.max {
			found = append(found, warn(check, "kubectl latchkey list -n "+f.Name, "%d of %d %s are used; delete or shorten some, or ask the platform team for more", l.is, l.max, l.what))
		}
	}
	return orOK(found, check, "nothing is above %d %%", nearly)
}
