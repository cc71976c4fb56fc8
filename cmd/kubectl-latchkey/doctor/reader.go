// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/version"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/keys"
	"github.com/latchkey-dev/latchkey/internal/policy/limits"
)

// metadataOnly asks for lists without what is in the objects.
const metadataOnly = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json"

// Reader reads facts, with the caller's rights.
type Reader struct {
	cluster *cluster.Cluster
	system  string
	said    func(what string)
}

// NewReader returns a Reader of a cluster. said is called with what it reads next.
func NewReader(c *cluster.Cluster, said func(what string)) *Reader {
	return &Reader{cluster: c, system: c.System, said: said}
}

// Reach returns an error where there is no cluster, or none that knows the caller: then
// there is nothing to find.
func (r *Reader) Reach(ctx context.Context) error {
	err := r.cluster.Path("/version").Do(ctx).Error()
	var answered apierrors.APIStatus
	if err == nil || errors.As(err, &answered) && !apierrors.IsUnauthorized(err) {
		return nil
	}
	return cluster.Explain(err)
}

// readOf returns a fact from an answer.
func readOf[T any](value T, err error) Read[T] {
	var answered apierrors.APIStatus
	right, denied := cluster.Denied(err)
	switch {
	case err == nil:
		return Read[T]{Value: value}
	case denied:
		return Read[T]{Denied: right.String()}
	case apierrors.IsNotFound(err):
		return Read[T]{Absent: true}
	case errors.As(err, &answered):
		return Read[T]{Problem: answered.Status().Message}
	}
	return Read[T]{Problem: err.Error()}
}

// get reads one path of the API.
func get[T any](ctx context.Context, r *Reader, path, accept string) Read[T] {
	var value T
	request := r.cluster.Path(path)
	if accept != "" {
		request = request.SetHeader("Accept", accept)
	}
	raw, err := request.Do(ctx).Raw()
	var said metav1.Status
	switch {
	case err == nil:
		err = json.Unmarshal(raw, &value)
	case json.Unmarshal(raw, &said) == nil && said.Kind == "Status":
		err = &apierrors.StatusError{ErrStatus: said} // a raw request does not read why it failed
	}
	return readOf(value, err)
}

// as returns a part of a fact.
func as[T, U any](r Read[T], part func(T) U) Read[U] {
	return Read[U]{Value: part(r.Value), Absent: r.Absent, Denied: r.Denied, Problem: r.Problem}
}

// System reads what is to be known of the installation.
func (r *Reader) System(ctx context.Context, plugin string, now time.Time) SystemFacts {
	f := SystemFacts{
		Namespace: r.system, Plugin: plugin, Now: now,
		CRDs: map[string]Read[CRD]{}, APIServices: map[string]Read[APIService]{},
		Deployments: map[string]Read[appsv1.Deployment]{}, Leases: map[string]Read[coordinationv1.Lease]{},
	}
	r.said("the API server")
	f.Kubernetes = get[version.Info](ctx, r, "/version", "")
	f.Served = as(get[metav1.APIResourceList](ctx, r, "/apis/"+v1alpha1.GroupVersion.String(), ""), resources)
	r.said("the APIs")
	for _, name := range crdNames {
		f.CRDs[name] = get[CRD](ctx, r, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/"+name, "")
	}
	for _, name := range apiServiceNames {
		f.APIServices[name] = get[APIService](ctx, r, "/apis/apiregistration.k8s.io/v1/apiservices/"+name, "")
	}
	r.said("the Deployments")
	for _, name := range deployments {
		f.Deployments[name] = get[appsv1.Deployment](ctx, r, "/apis/apps/v1/namespaces/"+r.system+"/deployments/"+name, "")
		f.Leases[name] = get[coordinationv1.Lease](ctx, r, "/apis/coordination.k8s.io/v1/namespaces/"+r.system+"/leases/"+name, "")
	}
	r.said("the webhooks")
	f.Webhooks = get[admissionregistrationv1.MutatingWebhookConfiguration](ctx, r, "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/"+configuration, "")
	f.Unregistered, f.Published = r.configMap(ctx, unregisteredAPIs), r.configMap(ctx, cluster.PublicKeysName)
	r.said("the keys")
	f.Keys = readOf(keys.New(r.cluster).List(ctx))
	r.said("the secrets of all namespaces")
	f.Objects = r.objects(ctx)
	return f
}

func resources(list metav1.APIResourceList) []string {
	var names []string
	for i := range list.APIResources {
		names = append(names, list.APIResources[i].Name)
	}
	return names
}

func (r *Reader) configMap(ctx context.Context, name string) Read[map[string]string] {
	return as(get[corev1.ConfigMap](ctx, r, "/api/v1/namespaces/"+r.system+"/configmaps/"+name, ""),
		func(m corev1.ConfigMap) map[string]string { return m.Data })
}

// objects reads those of all namespaces.
func (r *Reader) objects(ctx context.Context) Read[[]cluster.Item] {
	users := readOf(r.cluster.Users(ctx, "", metav1.ListOptions{}))
	if !users.known() {
		return users
	}
	return as(readOf(r.cluster.Agents(ctx, "", metav1.ListOptions{})),
		func(agents []cluster.Item) []cluster.Item { return append(users.Value, agents...) })
}

// Tenant reads what is to be known of a namespace.
func (r *Reader) Tenant(ctx context.Context, namespace string, now time.Time) (TenantFacts, error) {
	f := TenantFacts{Name: namespace, Now: now, Limits: limits.Of(limits.DefaultUser(), limits.DefaultAgent())}
	r.said("the namespaces")
	f.Namespace = get[corev1.Namespace](ctx, r, "/api/v1/namespaces/"+namespace, "")
	if f.Namespace.Absent {
		return f, nil
	}
	f.Tenants = as(get[corev1.NamespaceList](ctx, r, "/api/v1/namespaces", metadataOnly),
		func(l corev1.NamespaceList) []corev1.Namespace { return l.Items })
	r.said("the secrets")
	f.Users = readOf(r.cluster.Users(ctx, namespace, metav1.ListOptions{}))
	f.Agents = readOf(r.cluster.Agents(ctx, namespace, metav1.ListOptions{}))
	r.said("the pods")
	f.Pods = readOf(r.cluster.Pods(ctx, namespace))
	f.Restarts = readOf(r.cluster.Workloads(ctx, namespace))
	r.said("the dry runs")
	published, err := r.cluster.Published(ctx)
	if err != nil {
		f.Probe.Unsealed = err.Error()
		return f, nil
	}
	f.Limits = published.Limits
	f.Probe, err = r.probe(ctx, namespace, published.Keys.Newest)
	return f, err
}
