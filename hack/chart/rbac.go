// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// object is any of the objects of config/rbac, as far as it matters. The reason is the comment above it.
type object struct {
	Kind     string
	Metadata struct {
		Name, Namespace string
		Labels          map[string]string
	}
	Rules           []yaml.Node
	AggregationRule *yaml.Node                  `yaml:"aggregationRule"`
	RoleRef         struct{ Kind, Name string } `yaml:"roleRef"`
	Subjects        []struct{ Kind, Namespace, Name string }

	reason string
}

// right is one line of docs/rbac.md. Role is set where its rules are not in the manifests.
type right struct {
	subject, where, reason, role string

	APIGroups       []string `yaml:"apiGroups"`
	Resources       []string
	ResourceNames   []string `yaml:"resourceNames"`
	NonResourceURLs []string `yaml:"nonResourceURLs"`
	Verbs           []string
}

// readRights returns the rights that the manifests of a folder grant, by subject. A rule
// without a comment that says what it is for is an error.
func readRights(folder string) ([]right, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	var objects []object
	for _, file := range files {
		content, rerr := os.ReadFile(file)
		err = errors.Join(err, rerr)
		for _, text := range documents(content) {
			var node yaml.Node
			rerr := yaml.Unmarshal(text, &node)
			o := object{reason: commentAbove(&node)}
			if rerr = errors.Join(rerr, node.Decode(&o)); rerr != nil {
				return nil, fmt.Errorf("%s: %w", file, rerr)
			}
			objects = append(objects, o)
		}
	}
	var out []right
	for _, o := range objects {
		rights, rerr := o.grants(objects)
		out, err = append(out, rights...), errors.Join(err, rerr)
	}
	slices.SortStableFunc(out, func(a, b right) int { return cmp.Or(cmp.Compare(a.subject, b.subject), cmp.Compare(a.where, b.where)) })
	return out, err
}

// commentAbove returns the comment right above a node, as one line. Comments above that
// are about more than the node; the parser may give the last one to the node's first key.
func commentAbove(node *yaml.Node) string {
	last := node.HeadComment
	for n := node; len(n.Content) > 0; last = cmp.Or(n.HeadComment, last) {
		n = n.Content[0]
	}
	last = last[strings.LastIndex(last, "\n\n")+1:]
	return strings.Join(strings.Fields(strings.ReplaceAll(last, "#", " ")), " ")
}

// grants returns what an object grants: a binding, or a role that is a part of others.
func (o object) grants(all []object) (out []right, err error) {
	switch {
	case o.Kind == "ServiceAccount", o.Kind == "Kustomization":
	case o.Kind == "Role", o.Kind == "ClusterRole" && o.AggregationRule == nil:
		var into []string
		for _, name := range []string{"admin", "edit", "view"} {
			if o.Metadata.Labels["rbac.authorization.k8s.io/aggregate-to-"+name] == "true" {
				into = append(into, name)
			}
		}
		if into != nil {
			return o.rights(right{subject: "Users with the role " + strings.Join(into, " or "), where: "where they have it"})
		}
	case o.Kind == "RoleBinding", o.Kind == "ClusterRoleBinding":
		for _, s := range o.Subjects {
			at := right{subject: s.Kind + " " + strings.Trim(s.Namespace+"/"+s.Name, "/"), where: "everywhere"}
			if o.Kind == "RoleBinding" {
				at.where = "in " + o.Metadata.Namespace
			}
			role := object{Rules: []yaml.Node{{Kind: yaml.MappingNode}}, reason: o.reason} // the cluster's own
			if i := slices.IndexFunc(all, func(r object) bool { return r.Kind == o.RoleRef.Kind && r.Metadata.Name == o.RoleRef.Name }); i >= 0 {
				role = all[i]
			} else {
				at.role, role.Metadata.Name = o.RoleRef.Name, "the binding of role "+o.RoleRef.Name
			}
			rights, rerr := role.rights(at)
			out, err = append(out, rights...), errors.Join(err, rerr)
		}
	default:
		err = fmt.Errorf("it is not known what %s %s grants", o.Kind, o.Metadata.Name)
	}
	return out, err
}

// rights returns what a role grants to a subject in a place.
func (o object) rights(at right) (out []right, err error) {
	for i := range o.Rules {
		r := at
		if r.reason = commentAbove(&o.Rules[i]); len(o.Rules) == 1 {
			r.reason = cmp.Or(r.reason, o.reason)
		}
		if r.reason == "" {
			err = errors.Join(err, fmt.Errorf("%s: rule %d has no comment that says what it is for", o.Metadata.Name, i+1))
		}
		err = errors.Join(err, o.Rules[i].Decode(&r))
		out = append(out, r)
	}
	return out, err
}

// rightsTables prints a section for each subject.
func rightsTables(rights []right) []byte {
	code := func(words []string) string { return "`" + strings.Join(words, "`, `") + "`" }
	var b bytes.Buffer
	for i, r := range rights {
		if i == 0 || rights[i-1].subject != r.subject {
			fmt.Fprintf(&b, "\n## %s\n\n| where | what | verbs | what for |\n| --- | --- | --- | --- |\n", r.subject)
		}
		var targets []string
		for _, group := range r.APIGroups {
			for _, resource := range r.Resources {
				name, sub, _ := strings.Cut(resource, "/") // the group stands before the subresource
				targets = append(targets, strings.TrimSuffix(strings.TrimSuffix(name+"."+group, ".")+"/"+sub, "/"))
			}
		}
		what, verbs := code(append(targets, r.NonResourceURLs...)), code(r.Verbs)+" "
		if r.role != "" {
			what, verbs = "the cluster's own role `"+r.role+"`", ""
		}
		if len(r.ResourceNames) > 0 {
			what += ", only " + code(r.ResourceNames)
		}
		fmt.Fprintf(&b, "| %s | %s | %s| %s |\n", r.where, what, verbs, r.reason)
	}
	return b.Bytes()
}
