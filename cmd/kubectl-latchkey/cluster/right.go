// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"errors"
	"regexp"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
)

// denied and deniedPath are how the API server says that a right is missing.
var (
	denied = regexp.MustCompile(`User "([^"]*)" cannot (\w+) resource "([^"]+)" in API group "([^"]*)"(?: in the namespace "([^"]*)")?`)
	path   = regexp.MustCompile(`User "([^"]*)" cannot (\w+) path "([^"]+)"`)
)

// Right is a right in the cluster.
type Right struct {
	// User is who has it, or lacks it.
	User string
	// Verb, Resource and Group say what; a Resource that begins with a slash is a path.
	Verb, Resource, Group string
	// Namespace says where; "" is the whole cluster.
	Namespace string
	// Names are the objects that it is about; none for all.
	Names []string
}

// Denied returns the right whose lack is an error.
func Denied(err error) (Right, bool) {
	var status apierrors.APIStatus
	if !apierrors.IsForbidden(err) || !errors.As(err, &status) {
		return Right{}, false
	}
	text := status.Status().Message
	if m := denied.FindStringSubmatch(text); m != nil {
		return Right{User: m[1], Verb: m[2], Resource: m[3], Group: m[4], Namespace: m[5]}, true
	}
	if m := path.FindStringSubmatch(text); m != nil {
		return Right{User: m[1], Verb: m[2], Resource: m[3]}, true
	}
	return Right{}, false
}

// what is the resource as people write it.
func (r Right) what() string {
	name, sub, is := strings.Cut(r.Resource, "/")
	if r.Group == "" {
		return r.Resource
	}
	if name += "." + r.Group; is {
		name += "/" + sub
	}
	return name
}

// String says what the right is.
func (r Right) String() string {
	text := r.Verb + " " + r.what()
	if len(r.Names) > 0 {
		text += " " + strings.Join(r.Names, ", ")
	}
	switch {
	case strings.HasPrefix(r.Resource, "/"):
		return text
	case r.Namespace == "":
		return text + " in the whole cluster"
	}
	return text + " in namespace " + r.Namespace
}

// role returns the ClusterRole that has the right and little else; "" where there is none.
func (r Right) role() string {
	reads := r.Verb == "get" || r.Verb == "list" || r.Verb == "watch"
	switch {
	case r.Group == v1alpha1.GroupVersion.Group && reads && !strings.Contains(r.Resource, "/"):
		return "latchkey-view"
	case r.Group == v1alpha1.GroupVersion.Group:
		return "latchkey-edit"
	case reads && r.Namespace != "" && (r.Group == "apps" || r.Group == "" && r.Resource != "secrets"):
		return "view"
	}
	return ""
}

// Granting says who can grant the right, and by which commands.
func (r Right) Granting() (who string, commands []string) {
	kubectl, prefix, who := "kubectl", "cluster", "An administrator of the cluster"
	if r.Namespace != "" {
		kubectl, prefix, who = "kubectl -n "+r.Namespace, "", "An administrator of namespace "+r.Namespace
	}
	role, name := "--clusterrole="+r.role(), r.role()
	if name == "" {
		name = "latchkey-" + r.Verb + "-" + plain(r.Resource)
		makes := kubectl + " create " + prefix + "role " + name + " --verb=" + r.Verb
		if strings.HasPrefix(r.Resource, "/") {
			makes += " --non-resource-url=" + r.Resource
		} else {
			makes += " --resource=" + r.what()
		}
		for _, object := range r.Names {
			makes += " --resource-name=" + object
		}
		commands = append(commands, makes)
		role = "--" + prefix + "role=" + name
	}
	return who, append(commands, kubectl+" create "+prefix+"rolebinding "+name+"-"+plain(r.User)+" "+role+" "+subject(r.User))
}

// subject is the flag of kubectl that names a user.
func subject(user string) string {
	if account, is := strings.CutPrefix(user, "system:serviceaccount:"); is {
		return quoted("--serviceaccount=" + account)
	}
	return quoted("--user=" + user)
}

// quoted is a word for a shell. A user name is what an identity provider says, and whoever
// grants the right pastes it.
func quoted(word string) string {
	if regexp.MustCompile(`^[\w@%+=:,./-]+$`).MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// plain makes a part of an object's name.
func plain(text string) string {
	return strings.Trim(regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(text), "-"), "-")
}

// WithoutRoles is what helps who has no role.
const WithoutRoles = "The label latchkey.dev/user gives the user of a namespace no right in the Kubernetes API, which this command uses. The REST API needs\n" +
	"none: see docs/rest-user-secrets.md, also for the coder command line. The roles of an owner: docs/rbac.md#the-owner-of-a-namespace"
