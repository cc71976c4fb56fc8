// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package planning

import (
	"context"
	"errors"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/manifest"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/usage"
	"github.com/latchkey-dev/latchkey/internal/policy/limits"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

// What would become of an object.
const (
	Create  = "create"
	Change  = "change"
	Same    = "same"
	Refused = "refused"
	// ValueSet is for an object of which nothing but the value is given anew, by who may
	// not know whether it is another one.
	ValueSet = "value: set"
)

// What would become of a value.
const (
	valueChanged = "changed"
	valueSame    = "same"
	valueSet     = "set"
)

// Object is what would become of one object.
type Object struct {
	Namespace string `json:"namespace"`
	Kind      string `json:"kind"`
	Name      string `json:"name"`
	Action    string `json:"action"`
	// Fields are those that change, without the value.
	Fields []string `json:"fields,omitempty"`
	// Value is changed, same, or set, where the caller may not read it; "" for none.
	Value string `json:"value,omitempty"`
	// Why says why it is refused, or would be stored and not projected.
	Why string `json:"why,omitempty"`
}

// Target is a variable or a path that pods find a value at.
type Target struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Secret    string `json:"secret"`
}

// Restart is a workload that would be restarted, since it asks for that.
type Restart struct {
	Namespace string `json:"namespace"`
	Workload  string `json:"workload"`
	// Perhaps is true where it depends on a value which the caller may not read.
	Perhaps bool `json:"perhaps,omitempty"`
}

// Old is a container that would keep what it has of a secret.
type Old struct {
	Namespace string `json:"namespace"`
	Secret    string `json:"secret"`
	usage.Use
}

// Plan is all that would happen.
type Plan struct {
	Objects         []Object  `json:"objects"`
	VariablesGained []Target  `json:"variablesGained"`
	VariablesLost   []Target  `json:"variablesLost"`
	PathsGained     []Target  `json:"pathsGained"`
	PathsLost       []Target  `json:"pathsLost"`
	Restarts        []Restart `json:"restarts"`
	Olds            []Old     `json:"keepOldValues"`
	// Unknown says what could not be found out.
	Unknown []string `json:"unknown,omitempty"`
}

// Count returns how many objects have an action.
func (p *Plan) Count(action string) (n int) {
	for _, o := range p.Objects {
		if o.Action == action {
			n++
		}
	}
	return n
}

// Cluster is what is asked of a cluster, with the caller's rights.
type Cluster interface {
	Users(ctx context.Context, namespace string, options metav1.ListOptions) ([]cluster.Item, error)
	Agents(ctx context.Context, namespace string, options metav1.ListOptions) ([]cluster.Item, error)
	Pods(ctx context.Context, namespace string) ([]corev1.Pod, error)
	// Workloads returns the workloads of a namespace, and whether they ask for restarts.
	Workloads(ctx context.Context, namespace string) (map[string]bool, error)
	Lacks(ctx context.Context, rights []cluster.Right) ([]cluster.Right, error)
}

// Server runs one object dry.
type Server interface {
	DryRun(ctx context.Context, manager, namespace string, o *manifest.Object, sealed string) (cluster.Item, error)
}

// Planner makes plans.
type Planner struct {
	// Cluster and Server are asked.
	Cluster Cluster
	Server  Server
	// Key seals, and Limits are those of the cluster.
	Key    *seal.PublicKey
	Limits limits.Limits
	// Manager is the field manager that would apply.
	Manager string
	// Namespace is that of objects which name none.
	Namespace string
	// Said is called for each object, with how many are done of all.
	Said func(done, all int)
}

// Plan returns what applying the objects would do.
func (p *Planner) Plan(ctx context.Context, objects []*manifest.Object) (*Plan, error) {
	plan := &Plan{
		Objects: []Object{}, VariablesGained: []Target{}, VariablesLost: []Target{}, PathsGained: []Target{}, PathsLost: []Target{},
		Restarts: []Restart{}, Olds: []Old{},
	}
	var tenants []*tenant
	known := map[string]*tenant{}
	for i, o := range objects {
		namespace := o.Namespace
		if namespace == "" {
			namespace = p.Namespace
		}
		t := known[namespace]
		if t == nil {
			var err error
			if t, err = p.tenant(ctx, namespace); err != nil {
				return nil, err
			}
			known[namespace] = t
			tenants = append(tenants, t)
		}
		if err := p.object(ctx, t, o, i); err != nil {
			return nil, err
		}
		p.Said(i+1, len(objects))
	}
	for _, t := range tenants {
		p.outcomes(t, plan)
		for _, o := range t.objects {
			plan.Objects = append(plan.Objects, *o)
		}
		if err := p.running(ctx, t, plan); err != nil {
			return nil, err
		}
	}
	return plan, nil
}

// running finds out what becomes of workloads and containers.
func (p *Planner) running(ctx context.Context, t *tenant, plan *Plan) error {
	certain, perhaps := t.affects()
	if !certain && !perhaps {
		return nil
	}
	workloads, err := p.Cluster.Workloads(ctx, t.namespace)
	if err := plan.without(err, "which workloads of namespace "+t.namespace+" will restart"); err != nil {
		return err
	}
	var restarting []string
	for _, w := range slices.Sorted(maps.Keys(workloads)) {
		if workloads[w] {
			restarting = append(restarting, w)
			plan.Restarts = append(plan.Restarts, Restart{Namespace: t.namespace, Workload: w, Perhaps: !certain})
		}
	}
	pods, err := p.Cluster.Pods(ctx, t.namespace)
	if err := plan.without(err, "which containers of namespace "+t.namespace+" keep old values"); err != nil {
		return err
	}
	if !certain {
		restarting = nil
	}
	plan.Olds = append(plan.Olds, t.olds(pods, restarting)...)
	return nil
}

// without notes what is not known since a right is missing; any other error ends the plan.
func (p *Plan) without(err error, what string) error {
	if _, denied := cluster.Denied(err); !denied {
		return err
	}
	p.Unknown = append(p.Unknown, what+": "+err.Error())
	return nil
}

// refusal returns what the server says against an object, or the error that ends it all.
func refusal(err error) (string, error) {
	var answer apierrors.APIStatus
	if errors.As(err, &answer) && !apierrors.IsUnauthorized(err) && !apierrors.IsInternalError(err) && !apierrors.IsServiceUnavailable(err) {
		return cluster.Reason(cluster.Explain(err)), nil
	}
	return "", cluster.Explain(err)
}
