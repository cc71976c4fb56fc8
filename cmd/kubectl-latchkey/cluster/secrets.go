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
func (c *Cluster) Users(ctx context.Context, namespace string, options metav1.ListOptions) ([]Item, error) {
	var items []Item
	options.Limit = pageSize
	for {
		page := &v1alpha1.UserSecretList{}
		if err := in(c.latchkey.Get(), namespace, UserSecrets).VersionedParams(&options, c.parameters).Do(ctx).Into(page); err != nil {
			return nil, Explain(err)
		}
		for i := range page.Items {
			page.Items[i].TypeMeta = typeMeta("UserSecret")
			items = append(items, Item{User: &page.Items[i]})
		}
		if options.Continue = page.Continue; options.Continue == "" {
			return items, nil
		}
	}
}

// Agents returns the AgentSecrets of a namespace, or of all if it is "".
func (c *Cluster) Agents(ctx context.Context, namespace string, options metav1.ListOptions) ([]Item, error) {
	var items []Item
	options.Limit = pageSize
	for {
		page := &v1alpha1.AgentSecretList{}
		if err := in(c.latchkey.Get(), namespace, AgentSecrets).VersionedParams(&options, c.parameters).Do(ctx).Into(page); err != nil {
			return nil, Explain(err)
		}
		for i := range page.Items {
			page.Items[i].TypeMeta = typeMeta("AgentSecret")
			items = append(items, Item{Agent: &page.Items[i]})
		}
		if options.Continue = page.Continue; options.Continue == "" {
			return items, nil
		}
	}
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
	return c.into(ctx, in(c.latchkey.Get(), i.Meta().Namespace, i.Resource()).Name(i.Meta().Name), i.Resource())
}

// GetUser reads the UserSecret of a metadata.name.
func (c *Cluster) GetUser(ctx context.Context, namespace, name string) (Item, error) {
	return c.into(ctx, in(c.latchkey.Get(), namespace, UserSecrets).Name(name), UserSecrets)
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
	return c.into(ctx, in(c.latchkey.Post(), obj.Namespace, UserSecrets).VersionedParams(&options, c.parameters).Body(obj), UserSecrets)
}

// Patch changes the fields of spec that a patch names, of this very object: one of the
// same name that was made meanwhile is left alone.
func (c *Cluster) Patch(ctx context.Context, i Item, spec map[string]any, dryRun bool) (Item, error) {
	body, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": i.Meta().UID}, "spec": spec})
	if err != nil {
		return Item{}, err
	}
	options := metav1.PatchOptions{FieldManager: FieldManager, DryRun: dry(dryRun)}
	request := in(c.latchkey.Patch(types.MergePatchType), i.Meta().Namespace, i.Resource()).Name(i.Meta().Name).
		VersionedParams(&options, c.parameters).Body(body)
	return c.into(ctx, request, i.Resource())
}

// Delete deletes this very object.
func (c *Cluster) Delete(ctx context.Context, i Item, dryRun bool) error {
	options := metav1.DeleteOptions{DryRun: dry(dryRun), Preconditions: metav1.NewUIDPreconditions(string(i.Meta().UID))}
	err := in(c.latchkey.Delete(), i.Meta().Namespace, i.Resource()).Name(i.Meta().Name).Body(&options).Do(ctx).Error()
	return Explain(err)
}

func (c *Cluster) into(ctx context.Context, request *rest.Request, resource string) (Item, error) {
	var i Item
	if resource == UserSecrets {
		i.User = &v1alpha1.UserSecret{}
	} else {
		i.Agent = &v1alpha1.AgentSecret{}
	}
	if err := request.Do(ctx).Into(i.Object()); err != nil {
		return Item{}, Explain(err)
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
