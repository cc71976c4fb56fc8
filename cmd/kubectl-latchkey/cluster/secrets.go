// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
)

// in addresses a resource in a namespace; "" is all namespaces.
func in(r *rest.Request, namespace, resource string) *rest.Request {
	return r.NamespaceIfScoped(namespace, namespace != "").Resource(resource)
}

// Users returns the UserSecrets of a namespace, or of all if it is "".
func (c *Cluster) Users(ctx context.Context, namespace string, options metav1.ListOptions) (items []Item, err error) {
	err = c.paged("user secrets", options, func(options metav1.ListOptions) (int, string, error) {
		page := &v1alpha1.UserSecretList{}
		err := in(c.latchkey.Get(), namespace, UserSecrets).VersionedParams(&options, c.parameters).Do(ctx).Into(page)
		for i := range page.Items {
			page.Items[i].TypeMeta = typeMeta("UserSecret")
			items = append(items, Item{User: &page.Items[i]})
		}
		return len(page.Items), page.Continue, err
	})
	return items, err
}

// Agents returns the AgentSecrets of a namespace, or of all if it is "".
func (c *Cluster) Agents(ctx context.Context, namespace string, options metav1.ListOptions) (items []Item, err error) {
	err = c.paged("agent secrets", options, func(options metav1.ListOptions) (int, string, error) {
		page := &v1alpha1.AgentSecretList{}
		err := in(c.latchkey.Get(), namespace, AgentSecrets).VersionedParams(&options, c.parameters).Do(ctx).Into(page)
		for i := range page.Items {
			page.Items[i].TypeMeta = typeMeta("AgentSecret")
			items = append(items, Item{Agent: &page.Items[i]})
		}
		return len(page.Items), page.Continue, err
	})
	return items, err
}

func typeMeta(kind string) metav1.TypeMeta {
	return metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: kind}
}

// Pick returns the item that name means, or none. What may mean several is an error with
// all of them.
func Pick(items []Item, name string) (*Item, error) {
	var found []Item
	for _, i := range items {
		if i.Named(name) {
			found = append(found, i)
		}
	}
	switch len(found) {
	case 0:
		return nil, nil
	case 1:
		return &found[0], nil
	}
	var b strings.Builder
	_, _ = fmt.Fprintf(&b, "%q may mean several secrets: say which by its metadata.name, or by --kind", name)
	for _, i := range found {
		_, _ = fmt.Fprintf(&b, "\n  %s %s, known as %s", i.Kind(), i.Meta().Name, cli.Plain(i.Known()))
	}
	return nil, cli.Usage("%s", b.String())
}

// Get reads an object anew.
func (c *Cluster) Get(ctx context.Context, i Item) (Item, error) {
	return readInto(in(c.latchkey.Get(), i.Meta().Namespace, i.Resource()).Name(i.Meta().Name).Do(ctx), i.Meta().Namespace, i.Resource())
}

// GetUser reads the UserSecret of a metadata.name.
func (c *Cluster) GetUser(ctx context.Context, namespace, name string) (Item, error) {
	return readInto(in(c.latchkey.Get(), namespace, UserSecrets).Name(name).Do(ctx), namespace, UserSecrets)
}

// GetAgent reads the AgentSecret of a metadata.name.
func (c *Cluster) GetAgent(ctx context.Context, namespace, name string) (Item, error) {
	return readInto(in(c.latchkey.Get(), namespace, AgentSecrets).Name(name).Do(ctx), namespace, AgentSecrets)
}

// Apply has the cluster say, by a dry run, what it would store if manager applied an object
// of a resource, and what it warns of. Nothing else shows the warnings.
func (c *Cluster) Apply(ctx context.Context, manager, resource, namespace, name string, object any) (Item, []string, error) {
	body, err := json.Marshal(object)
	if err != nil {
		return Item{}, nil, err
	}
	force := true
	options := metav1.PatchOptions{FieldManager: manager, Force: &force, DryRun: dry(true)}
	result := in(c.latchkey.Patch(types.ApplyPatchType), namespace, resource).Name(name).
		VersionedParams(&options, c.parameters).Body(body).WarningHandler(rest.NoWarnings{}).Do(ctx)
	var warnings []string
	for _, w := range result.Warnings() {
		warnings = append(warnings, w.Text)
	}
	i, err := readInto(result, namespace, resource)
	return i, warnings, err
}

// Watch tells of changes of a resource from now on, until ctx ends or the API server ends
// it.
func (c *Cluster) Watch(ctx context.Context, namespace, resource string) (watch.Interface, error) {
	options := metav1.ListOptions{Watch: true}
	w, err := in(c.latchkey.Get(), namespace, resource).VersionedParams(&options, c.parameters).Watch(ctx)
	return w, Explain(err)
}

// CreateUser creates a UserSecret.
func (c *Cluster) CreateUser(ctx context.Context, obj *v1alpha1.UserSecret, dryRun bool) (Item, error) {
	options := metav1.CreateOptions{FieldManager: FieldManager, DryRun: dry(dryRun)}
	obj.TypeMeta = typeMeta("UserSecret")
	request := in(c.latchkey.Post(), obj.Namespace, UserSecrets).VersionedParams(&options, c.parameters).Body(obj)
	return readInto(request.Do(ctx), obj.Namespace, UserSecrets)
}

// CreateAgent creates an AgentSecret.
func (c *Cluster) CreateAgent(ctx context.Context, obj *v1alpha1.AgentSecret, dryRun bool) (Item, error) {
	options := metav1.CreateOptions{FieldManager: FieldManager, DryRun: dry(dryRun)}
	obj.TypeMeta = typeMeta("AgentSecret")
	request := in(c.latchkey.Post(), obj.Namespace, AgentSecrets).VersionedParams(&options, c.parameters).Body(obj)
	return readInto(request.Do(ctx), obj.Namespace, AgentSecrets)
}

// Patch changes the fields of spec that a patch names, of this very object: one of the
// same name that was made meanwhile is left alone.
func (c *Cluster) Patch(ctx context.Context, i Item, spec map[string]any, dryRun bool) (Item, error) {
	return c.patch(ctx, i, map[string]any{"uid": i.Meta().UID}, spec, dryRun)
}

// PatchRead is Patch where the object has to be as it was read.
func (c *Cluster) PatchRead(ctx context.Context, i Item, spec map[string]any, dryRun bool) (Item, error) {
	return c.patch(ctx, i, map[string]any{"uid": i.Meta().UID, "resourceVersion": i.Meta().ResourceVersion}, spec, dryRun)
}

func (c *Cluster) patch(ctx context.Context, i Item, metadata, spec map[string]any, dryRun bool) (Item, error) {
	body, err := json.Marshal(map[string]any{"metadata": metadata, "spec": spec})
	if err != nil {
		return Item{}, err
	}
	options := metav1.PatchOptions{FieldManager: FieldManager, DryRun: dry(dryRun)}
	request := in(c.latchkey.Patch(types.MergePatchType), i.Meta().Namespace, i.Resource()).Name(i.Meta().Name).
		VersionedParams(&options, c.parameters).Body(body)
	return readInto(request.Do(ctx), i.Meta().Namespace, i.Resource())
}

// Delete deletes this very object.
func (c *Cluster) Delete(ctx context.Context, i Item, dryRun bool) error {
	return c.delete(ctx, i, &metav1.Preconditions{UID: &i.Meta().UID}, dryRun)
}

// DeleteRead is Delete where the object has to be as it was read.
func (c *Cluster) DeleteRead(ctx context.Context, i Item, dryRun bool) error {
	return c.delete(ctx, i, &metav1.Preconditions{UID: &i.Meta().UID, ResourceVersion: &i.Meta().ResourceVersion}, dryRun)
}

func (c *Cluster) delete(ctx context.Context, i Item, only *metav1.Preconditions, dryRun bool) error {
	options := metav1.DeleteOptions{DryRun: dry(dryRun), Preconditions: only}
	err := in(c.latchkey.Delete(), i.Meta().Namespace, i.Resource()).Name(i.Meta().Name).Body(&options).Do(ctx).Error()
	return at(i.Meta().Namespace, i.Resource(), err)
}

func readInto(result rest.Result, namespace, resource string) (Item, error) {
	var i Item
	if resource == UserSecrets {
		i.User = &v1alpha1.UserSecret{}
	} else {
		i.Agent = &v1alpha1.AgentSecret{}
	}
	if err := result.Into(i.Object()); err != nil {
		return Item{}, at(namespace, resource, err)
	}
	i.Object().GetObjectKind().SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(i.Kind()))
	return i, nil
}

func dry(run bool) []string {
	if run {
		return []string{metav1.DryRunAll}
	}
	return nil
}
