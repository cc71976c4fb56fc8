// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package planning

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/manifest"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/sealer"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

// tenant is a namespace as it is and as it would be, by kind and name.
type tenant struct {
	namespace     string
	before, after map[id]cluster.Item
	objects       []*Object
	planned       map[id]*Object
	reads         *bool // whether the caller may read the values of users
	moved         map[id]bool
}

type id struct{ kind, name string }

func idOf(i cluster.Item) id { return id{i.Kind(), i.Meta().Name} }

func (p *Planner) tenant(ctx context.Context, namespace string) (*tenant, error) {
	t := &tenant{namespace: namespace, before: map[id]cluster.Item{}, planned: map[id]*Object{}, moved: map[id]bool{}}
	users, err := p.Cluster.Users(ctx, namespace, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	agents, err := p.Cluster.Agents(ctx, namespace, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	for _, i := range slices.Concat(users, agents) {
		t.before[idOf(i)] = i
	}
	t.after = maps.Clone(t.before)
	return t, nil
}

// object judges one object of a manifest, the nth.
func (p *Planner) object(ctx context.Context, t *tenant, o *manifest.Object, nth int) error {
	result := &Object{Namespace: t.namespace, Kind: o.Kind, Name: o.Name, Action: Refused}
	t.objects = append(t.objects, result)
	found := sealer.Look(o, t.namespace)
	if len(found.Problems) > 0 {
		var problems []string
		for _, problem := range found.Problems {
			problems = append(problems, problem.Error())
		}
		result.Why = strings.Join(problems, "; ")
		return nil
	}
	sealed := ""
	if found.Value != nil {
		var err error
		if sealed, err = found.Target.Seal(p.Key, *found.Value); err != nil {
			return err
		}
	}
	after, err := p.Server.DryRun(ctx, p.Manager, t.namespace, o, sealed)
	if err != nil {
		result.Why, err = refusal(err)
		return err
	}
	before, present := t.before[idOf(after)]
	if err := p.compare(ctx, t, result, before, present, after); err != nil {
		return err
	}
	// What is claimed now is claimed after what is there, in the order of the manifest.
	if result.Action != Same {
		after.Meta().ResourceVersion = fmt.Sprintf("planned-%06d", nth)
	}
	t.after[idOf(after)] = after
	t.planned[idOf(after)] = result
	return nil
}

func (p *Planner) compare(ctx context.Context, t *tenant, result *Object, before cluster.Item, present bool, after cluster.Item) error {
	if !present {
		result.Action = Create
		return nil
	}
	was, is := fieldsOf(before), fieldsOf(after)
	for _, field := range slices.Sorted(maps.Keys(merged(was, is))) {
		if !reflect.DeepEqual(was[field], is[field]) {
			result.Fields = append(result.Fields, field)
		}
	}
	var err error
	if result.Value, err = p.value(ctx, t, before, after); err != nil {
		return err
	}
	switch {
	case len(result.Fields) > 0 || result.Value == valueChanged:
		result.Action = Change
	case result.Value == valueSet:
		result.Action = ValueSet
	default:
		result.Action = Same
	}
	return nil
}

// fieldsOf returns the fields of a spec without what changes by itself.
func fieldsOf(i cluster.Item) map[string]any {
	var spec any = &i.User.Spec
	if i.User == nil {
		spec = &i.Agent.Spec
	}
	fields := map[string]any{}
	if text, err := json.Marshal(spec); err == nil {
		_ = json.Unmarshal(text, &fields)
	}
	delete(fields, "sealedValue")
	delete(fields, "revision")
	return fields
}

func merged(a, b map[string]any) map[string]any {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// value says what becomes of the value. To who may not read it, admission answers as if
// every value were another one, so that nothing is told; and where the stored text is of
// an older key, it may be another text of the same value for everybody.
func (p *Planner) value(ctx context.Context, t *tenant, before, after cluster.Item) (string, error) {
	was, is := before.Sealed(), after.Sealed()
	switch {
	case was == "" && is == "":
		return "", nil
	case was == is:
		return valueSame, nil
	case was == "" || is == "":
		return valueChanged, nil
	}
	stored, err := seal.Parse(was)
	if err != nil || stored.KeyID() != p.Key.ID() {
		return valueSet, nil
	}
	may, err := p.reads(ctx, t, after)
	if err != nil || !may {
		return valueSet, err
	}
	return valueChanged, nil
}

// reads reports whether the caller may read the value of an object, as admission asks it.
func (p *Planner) reads(ctx context.Context, t *tenant, i cluster.Item) (bool, error) {
	if i.Agent != nil {
		lacks, err := p.Cluster.Lacks(ctx, []cluster.Right{{
			Verb: "get", Resource: cluster.AgentSecrets + "/value", Group: v1alpha1.GroupVersion.Group, Namespace: t.namespace, Names: []string{i.Meta().Name},
		}})
		return len(lacks) == 0, err
	}
	if t.reads == nil {
		lacks, err := p.Cluster.Lacks(ctx, []cluster.Right{{
			Verb: "get", Resource: "secrets", Namespace: t.namespace, Names: []string{v1alpha1.BundleUserEnv, v1alpha1.BundleUserFiles},
		}})
		if err != nil {
			return false, err
		}
		all := len(lacks) == 0
		t.reads = &all
	}
	return *t.reads, nil
}
