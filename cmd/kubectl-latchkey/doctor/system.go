// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/version"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/keys"
)

// Objects of an installation.
const (
	controller       = "latchkey-controller"
	server           = "latchkey-server"
	configuration    = "latchkey" // of the webhooks
	unregisteredAPIs = "latchkey-unregistered-apis"
)

var (
	crdNames        = []string{"usersecrets.latchkey.dev", "agentsecrets.latchkey.dev"}
	apiServiceNames = []string{"v2.coder.latchkey.dev", "v1.golem.latchkey.dev"}
	deployments     = []string{controller, server}
	// secretHooks seal, podHooks project; an installation may do without the latter.
	secretHooks = []string{"usersecrets.latchkey.dev", "agentsecrets.latchkey.dev"}
	podHooks    = []string{"pods.latchkey.dev", "opted-in-pods.latchkey.dev"}
)

// minMinor is the oldest Kubernetes 1.x that Latchkey takes.
const minMinor = 35

// leaseSlack is what clocks may differ, and how late a renewal may come.
const leaseSlack = 30 * time.Second

// SystemFacts are what is known of an installation.
type SystemFacts struct {
	// Namespace is Latchkey's own, Plugin the version of the plugin.
	Namespace, Plugin string
	// Now is the present time.
	Now time.Time
	// Kubernetes is the API server's version, Served the resources of latchkey.dev.
	Kubernetes Read[version.Info]
	Served     Read[[]string]
	// CRDs, APIServices, Deployments and Leases are known by their names.
	CRDs        map[string]Read[CRD]
	APIServices map[string]Read[APIService]
	Deployments map[string]Read[appsv1.Deployment]
	Leases      map[string]Read[coordinationv1.Lease]
	// Webhooks is Latchkey's configuration.
	Webhooks Read[admissionregistrationv1.MutatingWebhookConfiguration]
	// Unregistered and Published are the data of Latchkey's ConfigMaps.
	Unregistered, Published Read[map[string]string]
	// Keys are the sealing keys, the newest first.
	Keys Read[[]keys.Key]
	// Objects are those of all namespaces.
	Objects Read[[]cluster.Item]
}

// System judges an installation.
func System(f SystemFacts) []Finding {
	var all []Finding
	for _, check := range []func(SystemFacts) []Finding{
		kubernetes, served, crds, webhooks, apiServices, workloads, leaders, sealingKeys, backups, published, lostKeys, objects,
	} {
		all = append(all, check(f)...)
	}
	return all
}

// reinstall puts back what is missing of an installation.
func (f SystemFacts) reinstall() string {
	return "helm upgrade --install latchkey charts/latchkey --namespace " + f.Namespace + " --wait"
}

// pods shows the pods of a Deployment.
func (f SystemFacts) pods(name string) string {
	return fmt.Sprintf("kubectl -n %s get pods -l app.kubernetes.io/component=%s", f.Namespace, strings.TrimPrefix(name, "latchkey-"))
}

func kubernetes(f SystemFacts) []Finding {
	const check = "Kubernetes"
	if found, is := f.Kubernetes.unread(check); is {
		return found
	}
	v := f.Kubernetes.Value
	minor, err := strconv.Atoi(strings.TrimRight(v.Minor, "+"))
	if err != nil || v.Major == "1" && minor < minMinor {
		return []Finding{failed(check, "kubectl version", "it is %s, and Latchkey needs 1.%d or newer", v.GitVersion, minMinor)}
	}
	return []Finding{ok(check, "%s", v.GitVersion)}
}

func served(f SystemFacts) []Finding {
	const check = "API"
	if found, is := f.Served.unread(check); is {
		return found
	}
	for _, resource := range []string{cluster.UserSecrets, cluster.AgentSecrets} {
		if f.Served.Absent || !slices.Contains(f.Served.Value, resource) {
			return []Finding{failed(check, f.reinstall(), "the cluster does not serve %s of %s", resource, v1alpha1.GroupVersion)}
		}
	}
	return []Finding{ok(check, "%s is served", v1alpha1.GroupVersion)}
}

func workloads(f SystemFacts) []Finding {
	const check = "Deployments"
	var found []Finding
	images := map[string]bool{}
	for _, name := range deployments {
		d := f.Deployments[name]
		if unread, is := d.unread(check); is {
			return unread
		}
		if d.Absent {
			if f.leads(name) != "" {
				found = append(found, failed(check, f.reinstall(), "%s is not in namespace %s, and nothing does its work from elsewhere", name, f.Namespace))
			}
			continue
		}
		wanted := int32(1)
		if d.Value.Spec.Replicas != nil {
			wanted = *d.Value.Spec.Replicas
		}
		for _, c := range d.Value.Spec.Template.Spec.Containers {
			images[c.Image] = true
		}
		switch available := d.Value.Status.AvailableReplicas; {
		case wanted == 0:
			found = append(found, failed(check, fmt.Sprintf("kubectl -n %s scale deployment %s --replicas=2", f.Namespace, name), "%s is scaled to nothing", name))
		case available == 0:
			found = append(found, failed(check, f.pods(name), "no replica of %s is available", name))
		case available < wanted:
			found = append(found, warn(check, f.pods(name), "%d of %d replicas of %s are available", available, wanted, name))
		}
	}
	if len(images) > 1 {
		found = append(found, warn(check, f.reinstall(), "controller and server run different images: %s", strings.Join(slices.Sorted(maps.Keys(images)), ", ")))
	}
	return orOK(found, check, "all replicas are available, or run outside of this cluster")
}

func leaders(f SystemFacts) []Finding {
	const check = "Leader"
	var found []Finding
	for _, name := range deployments {
		if unread, is := f.Leases[name].unread(check); is {
			return unread
		}
		if problem := f.leads(name); problem != "" {
			found = append(found, failed(check, f.pods(name), "%s", problem))
		}
	}
	return orOK(found, check, "one controller leads, one server answers REST")
}

// leads says why nobody holds a Lease; "" where somebody does.
func (f SystemFacts) leads(name string) string {
	what := map[string]string{controller: "no controller leads, so nothing is reconciled", server: "no server answers REST"}[name]
	lease := f.Leases[name]
	if !lease.known() {
		return what + ": there is no Lease " + name
	}
	spec := lease.Value.Spec
	if spec.HolderIdentity == nil || *spec.HolderIdentity == "" || spec.RenewTime == nil || spec.LeaseDurationSeconds == nil {
		return what + ": nobody holds Lease " + name
	}
	if f.Now.After(spec.RenewTime.Add(time.Duration(*spec.LeaseDurationSeconds)*time.Second + leaseSlack)) {
		return fmt.Sprintf("%s: Lease %s was last renewed at %s", what, name, spec.RenewTime.UTC().Format(time.RFC3339))
	}
	return ""
}
