// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
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

// grant is what one subject may do by one role.
type grant struct {
	// subject is who, such as "ServiceAccount latchkey-system/latchkey-server". For a
	// role that aggregates into others it says into which.
	subject string
	// where is "everywhere", or a namespace, or as far as another role goes.
	where string
	// role is the name of the role.
	role string
	// rules are those of the role; none where the role is the cluster's own.
	rules []rule
	// reason is what the binding is for.
	reason string
}

// rule is a rule of a role, with the reason for it.
type rule struct {
	APIGroups       []string `yaml:"apiGroups"`
	Resources       []string `yaml:"resources"`
	ResourceNames   []string `yaml:"resourceNames"`
	NonResourceURLs []string `yaml:"nonResourceURLs"`
	Verbs           []string `yaml:"verbs"`

	reason string
}

// document is any of the objects that are read, as far as it matters.
type document struct {
	Kind     string
	Metadata struct {
		Name, Namespace string
		Labels          map[string]string
	}
	Rules    []yaml.Node
	RoleRef  struct{ Kind, Name string } `yaml:"roleRef"`
	Subjects []struct{ Kind, Namespace, Name string }
	// AggregationRule of a ClusterRole is refused: its rules are not in the manifests.
	AggregationRule *yaml.Node `yaml:"aggregationRule"`
	// reason is the comment at the top of the object.
	reason string
}

// read returns what the manifests of a folder grant, by subject.
func read(folder string) ([]grant, error) {
	paths, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil {
		return nil, err
	}
	roles := map[string]document{}
	var bindings, aggregated []document
	for _, path := range paths {
		documents, err := parse(path)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		for _, d := range documents {
			switch d.Kind {
			case "ClusterRole", "Role":
				if d.AggregationRule != nil {
					return nil, fmt.Errorf("%s: there is no telling what %s grants, since it aggregates others", path, d.Metadata.Name)
				}
				roles[d.Kind+" "+d.Metadata.Name] = d
				if aggregates(d) != "" {
					aggregated = append(aggregated, d)
				}
			case "ClusterRoleBinding", "RoleBinding":
				bindings = append(bindings, d)
			case "ServiceAccount", "Kustomization":
			default:
				return nil, fmt.Errorf("%s: there is no telling what a %s grants", path, d.Kind)
			}
		}
	}
	var grants []grant
	for _, b := range bindings {
		role := roles[b.RoleRef.Kind+" "+b.RoleRef.Name]
		for _, s := range b.Subjects {
			g, err := granted(role, strings.Trim(s.Namespace+"/"+s.Name, "/"))
			if err != nil {
				return nil, err
			}
			g.subject, g.role, g.reason = s.Kind+" "+g.subject, b.RoleRef.Name, b.reason
			if b.Kind == "RoleBinding" {
				g.where = "in " + b.Metadata.Namespace
			}
			if len(g.rules)+len(g.reason) == 0 {
				return nil, fmt.Errorf("%s: the binding of role %s has no comment that says what it is for", b.Metadata.Name, b.RoleRef.Name)
			}
			grants = append(grants, g)
		}
	}
	for _, d := range aggregated {
		g, err := granted(d, aggregates(d))
		if err != nil {
			return nil, err
		}
		g.where = "where they have it"
		grants = append(grants, g)
	}
	slices.SortStableFunc(grants, func(a, b grant) int {
		return cmp.Or(cmp.Compare(a.subject, b.subject), cmp.Compare(a.where, b.where), cmp.Compare(a.role, b.role))
	})
	return grants, nil
}

// aggregates says into which of the cluster's roles a ClusterRole goes; "" for none.
func aggregates(d document) string {
	var into []string
	for label, value := range d.Metadata.Labels {
		if name, ok := strings.CutPrefix(label, "rbac.authorization.k8s.io/aggregate-to-"); ok && value == "true" {
			into = append(into, name)
		}
	}
	if len(into) == 0 {
		return ""
	}
	slices.Sort(into)
	return "Whoever has the role " + strings.Join(into, " or ")
}

// granted returns what a role grants a subject.
func granted(role document, subject string) (grant, error) {
	g := grant{subject: subject, role: role.Metadata.Name, where: "everywhere"}
	for i := range role.Rules {
		r := rule{reason: comment(&role.Rules[i])}
		if len(role.Rules) == 1 {
			r.reason = cmp.Or(r.reason, role.reason)
		}
		if r.reason == "" {
			return grant{}, fmt.Errorf("%s %s: rule %d has no comment that says what it is for", role.Kind, role.Metadata.Name, i+1)
		}
		if err := role.Rules[i].Decode(&r); err != nil {
			return grant{}, fmt.Errorf("%s %s: rule %d: %w", role.Kind, role.Metadata.Name, i+1, err)
		}
		g.rules = append(g.rules, r)
	}
	return g, nil
}

// parse reads the objects of a file.
func parse(path string) ([]document, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	decoder := yaml.NewDecoder(file)
	var out []document
	for {
		var node yaml.Node
		err := decoder.Decode(&node)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		var d document
		if err := node.Decode(&d); err != nil {
			return nil, err
		}
		d.reason = comment(&node)
		out = append(out, d)
	}
}

// comment returns the comment right above a node, as one line. Comments above that are
// about more than the node; the parser may give the last one to the node's first key.
func comment(node *yaml.Node) string {
	last := node.HeadComment
	for n := node; len(n.Content) > 0; {
		n = n.Content[0]
		last = cmp.Or(n.HeadComment, last)
	}
	paragraphs := strings.Split(last, "\n\n")
	var words []string
	for line := range strings.Lines(paragraphs[len(paragraphs)-1]) {
		words = append(words, strings.Fields(strings.TrimLeft(line, "#"))...)
	}
	return strings.Join(words, " ")
}
