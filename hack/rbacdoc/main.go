// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Command rbacdoc writes the tables of docs/rbac.md: all rights that Latchkey's
// manifests grant. The reason of a rule is the comment above it; a rule without one is
// refused.
package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// The tables stand between these lines of the page.
const begin, end = "<!-- Written by \"make generate\" from config/rbac. Change the comments and rules there. -->\n", "\n<!-- End of what is written. -->"

// object is any of the manifests' objects, as far as it matters.
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

// right is one line of the page. Role is set where its rules are not in the manifests.
type right struct {
	subject, where, reason, role string

	APIGroups       []string `yaml:"apiGroups"`
	Resources       []string
	ResourceNames   []string `yaml:"resourceNames"`
	NonResourceURLs []string `yaml:"nonResourceURLs"`
	Verbs           []string
}

func main() {
	if err := write("docs/rbac.md", "config/rbac"); err != nil {
		fmt.Fprintln(os.Stderr, "rbacdoc:", err)
		os.Exit(1)
	}
}

// write replaces the tables of a page by those of a folder.
func write(page, folder string) error {
	rights, err := read(folder)
	if err != nil {
		return err
	}
	old, err := os.ReadFile(page)
	head, rest, found := bytes.Cut(old, []byte(begin))
	_, tail, closed := bytes.Cut(rest, []byte(end))
	if err != nil || !found || !closed {
		return errors.Join(err, fmt.Errorf("%s does not have the lines %q and %q", page, begin, end))
	}
	return os.WriteFile(page, slices.Concat(head, []byte(begin), tables(rights), []byte(end), tail), 0o644)
}

// read returns the rights that the manifests of a folder grant, by subject.
func read(folder string) ([]right, error) {
	objects, err := parse(folder)
	var out []right
	for _, o := range objects {
		more, rerr := grants(o, objects)
		out, err = append(out, more...), errors.Join(err, rerr)
	}
	slices.SortStableFunc(out, func(a, b right) int { return cmp.Or(cmp.Compare(a.subject, b.subject), cmp.Compare(a.where, b.where)) })
	return out, err
}

// parse reads the objects of a folder.
func parse(folder string) (out []object, err error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	for _, file := range files {
		text, rerr := os.ReadFile(file)
		err = errors.Join(err, rerr)
		for decoder := yaml.NewDecoder(bytes.NewReader(text)); ; {
			var node yaml.Node
			if rerr = decoder.Decode(&node); errors.Is(rerr, io.EOF) {
				break
			}
			o := object{reason: comment(&node)}
			if rerr = errors.Join(rerr, node.Decode(&o)); rerr != nil {
				return nil, fmt.Errorf("%s: %w", file, rerr)
			}
			out = append(out, o)
		}
	}
	return out, err
}

// comment returns the comment right above a node, as one line. Comments above that are
// about more than the node; the parser may give the last one to the node's first key.
func comment(node *yaml.Node) string {
	last := node.HeadComment
	for n := node; len(n.Content) > 0; last = cmp.Or(n.HeadComment, last) {
		n = n.Content[0]
	}
	last = last[strings.LastIndex(last, "\n\n")+1:]
	return strings.Join(strings.Fields(strings.ReplaceAll(last, "#", " ")), " ")
}

// grants returns what an object grants: a binding, or a role that is a part of others.
func grants(o object, all []object) (out []right, err error) {
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
		if r.reason = comment(&o.Rules[i]); len(o.Rules) == 1 {
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

// targets returns what a right is about: resources with their groups, and paths.
func (r right) targets() []string {
	var out []string
	for _, group := range r.APIGroups {
		for _, resource := range r.Resources {
			name, sub, _ := strings.Cut(resource, "/") // the group stands before the subresource
			out = append(out, strings.TrimSuffix(strings.TrimSuffix(name+"."+group, ".")+"/"+sub, "/"))
		}
	}
	return append(out, r.NonResourceURLs...)
}

// tables prints a section for each subject.
func tables(rights []right) []byte {
	code := func(words []string) string { return "`" + strings.Join(words, "`, `") + "`" }
	var b bytes.Buffer
	for i, r := range rights {
		if i == 0 || rights[i-1].subject != r.subject {
			fmt.Fprintf(&b, "\n## %s\n\n| where | what | verbs | what for |\n| --- | --- | --- | --- |\n", r.subject)
		}
		what, verbs := code(r.targets()), code(r.Verbs)+" "
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
