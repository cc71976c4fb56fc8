// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// everything sets what can be set.
const everything = `
image: {repository: registry.example/latchkey, tag: v9, pullPolicy: Always}
imagePullSecrets: [{name: registry}]
commonLabels: {team: platform}
tenantNamespaces: [alice, shop-prod]
certificates: {certManager: {enabled: true, issuerRef: {name: corporate, kind: ClusterIssuer}}}
log: {verbosity: 4, format: json}
limits:
  user: {maxSecrets: 7, maxValueBytes: 8000000, maxEnvValueBytes: 9}
  agent: {maxSecrets: 10, maxValueBytes: 11, maxTotalValueBytes: 12}
projection: {fileRoots: ["~", /opt/app], refusedVariables: [OURS_*], allowedVariables: [NODE_OPTIONS]}
controller:
  replicas: 1
  workers: 16
  keys: {rotation: 24h, retention: 36h30m}
  restarts: {maxConcurrent: 3, minInterval: 90s, rolloutTimeout: 5m}
  extraArgs: [--reseal-rate=5]
  extraEnv: [{name: GOMEMLIMIT, value: 400MiB}]
  serviceAccountAnnotations: {a.example/role: c}
  podAnnotations: {a.example/scrape: "false"}
  podLabels: {tier: control}
  resources: {requests: {cpu: 1}}
  nodeSelector: {pool: system}
  tolerations: [{key: system, operator: Exists}]
  affinity: {nodeAffinity: {}}
  topologySpreadConstraints: [{maxSkew: 2, topologyKey: rack, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {tier: control}}}]
  podDisruptionBudget: {maxUnavailable: 50%}
server:
  replicas: 3
  hostNetwork: true
  ports: {webhook: 19443, rest: 18443, metrics: 18080, health: 18081}
  service: {type: LoadBalancer, annotations: {a.example/lb: internal}}
  defaultHome: /home/app
  rest: {maxRequestsInFlight: 0, maxMutatingRequestsInFlight: 20, requestTimeout: 30s, maxRequestsPerCaller: 8}
  audit: {enabled: false}
  shutdown: {preStopSeconds: 20, delaySeconds: 10, gracePeriodSeconds: 90}
  extraArgs: [--audit-log-maxage=1]
  extraEnv: [{name: GOMAXPROCS, valueFrom: {resourceFieldRef: {resource: limits.cpu}}}]
webhooks: {timeoutSeconds: 7, clientCAConfigMap: webhook-client-ca, pods: {failurePolicy: Ignore, timeoutSeconds: 2, excludedNamespaces: [kube-system]}}
networkPolicies:
  apiServerPorts: [8443]
  apiServerFrom: [{ipBlock: {cidr: 10.1.2.3/32}}]
  metricsFrom: [{namespaceSelector: {matchLabels: {name: monitoring}}}]
  extraEgress: [{to: [{ipBlock: {cidr: 10.0.0.0/8}}]}]
priorityClass: {name: high, value: 5}
monitoring:
  serviceMonitor: {enabled: true, interval: 1m, scrapeTimeout: 20s, labels: {release: prometheus}}
  prometheusRule: {enabled: true, labels: {release: prometheus}}
  dashboard: {enabled: true, labels: {dash: "1"}, annotations: {folder: Platform}}
ingress: {enabled: true, className: nginx, host: latchkey.example, tlsSecretName: latchkey-tls, annotations: {a.example/protocol: HTTPS}}
httpRoute:
  enabled: true
  parentRefs: [{name: public, namespace: gateways}]
  hostnames: [latchkey.example]
  backendTLS: {caConfigMap: latchkey-ca}
`

// TestAValueLandsWhereItBelongs has each of the values above, and where it is found.
func TestAValueLandsWhereItBelongs(t *testing.T) {
	got := rendered(t, everything)
	const controller, server = "Deployment latchkey-system/latchkey-controller", "Deployment latchkey-system/latchkey-server"
	pod := []any{"spec", "template", "spec"}
	container := append(slices.Clone(pod), "containers", 0)
	at := func(base []any, more ...any) []any { return append(slices.Clone(base), more...) }
	for _, tt := range []struct {
		object string
		path   []any
		want   string // as JSON
	}{
		{server, at(container, "image"), `"registry.example/latchkey:v9"`},
		{server, at(container, "imagePullPolicy"), `"Always"`},
		{controller, at(container, "image"), `"registry.example/latchkey:v9"`},
		{controller, at(pod, "imagePullSecrets"), `[{"name":"registry"}]`},
		{"Job latchkey-system/latchkey-uninstall", at(pod, "imagePullSecrets"), `[{"name":"registry"}]`},
		{"Job latchkey-system/latchkey-uninstall", at(container, "image"), `"registry.example/latchkey:v9"`},
		{server, []any{"metadata", "labels", "team"}, `"platform"`},
		{controller, []any{"spec", "replicas"}, `1`},
		{server, []any{"spec", "replicas"}, `3`},
		{controller, at(container, "args"), `["controller","--namespace=$(POD_NAMESPACE)","--tenant-namespaces=alice,shop-prod","--v=4","--log-format=json","--agent-max-secrets=10","--agent-max-total-value-bytes=12","--agent-max-value-bytes=11","--user-max-env-value-bytes=9","--user-max-secrets=7","--user-max-value-bytes=8000000","--allowed-variables=NODE_OPTIONS","--file-roots=~,/opt/app","--refused-variables=OURS_*","--manage-certificate=false","--workers=16","--key-rotation=24h","--key-retention=36h30m","--max-concurrent-rollouts=3","--restart-min-interval=90s","--rollout-timeout=5m","--reseal-rate=5"]`},
		{server, at(container, "args"), `["server","--namespace=$(POD_NAMESPACE)","--tenant-namespaces=alice,shop-prod","--v=4","--log-format=json","--agent-max-secrets=10","--agent-max-total-value-bytes=12","--agent-max-value-bytes=11","--user-max-env-value-bytes=9","--user-max-secrets=7","--user-max-value-bytes=8000000","--allowed-variables=NODE_OPTIONS","--file-roots=~,/opt/app","--refused-variables=OURS_*","--shutdown-delay=10s","--health-probe-bind-address=:18081","--metrics-bind-address=:18080","--secure-bind-address=:18443","--webhook-bind-address=:19443","--admission-client-ca=/etc/latchkey/admission-client-ca/ca.crt","--default-home=/home/app","--max-requests-in-flight=0","--max-mutating-requests-in-flight=20","--request-timeout=30s","--max-requests-per-caller=8","--audit-log-path=","--audit-log-maxage=1"]`},
		{controller, at(container, "env", 1), `{"name":"GOMEMLIMIT","value":"400MiB"}`},
		{server, at(container, "env", 2, "name"), `"GOMAXPROCS"`},
		{"ServiceAccount latchkey-system/latchkey-controller", []any{"metadata", "annotations"}, `{"a.example/role":"c"}`},
		{controller, []any{"spec", "template", "metadata", "annotations", "a.example/scrape"}, `"false"`},
		{controller, []any{"spec", "template", "metadata", "labels", "tier"}, `"control"`},
		{controller, at(container, "resources", "requests", "cpu"), `1`},
		{controller, at(pod, "nodeSelector"), `{"pool":"system"}`},
		{controller, at(pod, "tolerations"), `[{"key":"system","operator":"Exists"}]`},
		{controller, at(pod, "affinity"), `{"nodeAffinity":{}}`},
		{controller, at(pod, "topologySpreadConstraints", 0, "topologyKey"), `"rack"`},
		{"PodDisruptionBudget latchkey-system/latchkey-controller", []any{"spec", "maxUnavailable"}, `"50%"`},
		{server, at(pod, "hostNetwork"), `true`},
		{server, at(pod, "dnsPolicy"), `"ClusterFirstWithHostNet"`},
		{server, []any{"spec", "strategy", "rollingUpdate", "maxSurge"}, `0`},
		{server, at(container, "ports"), `[{"containerPort":19443,"name":"webhook"},{"containerPort":18443,"name":"rest"},{"containerPort":18080,"name":"metrics"},{"containerPort":18081,"name":"health"}]`},
		{server, at(pod, "terminationGracePeriodSeconds"), `90`},
		{server, at(container, "lifecycle", "preStop", "sleep", "seconds"), `20`},
		{server, at(pod, "priorityClassName"), `"high"`},
		{"PriorityClass /high", []any{"value"}, `5`},
		{"Service latchkey-system/latchkey-server", []any{"spec", "type"}, `"LoadBalancer"`},
		{"Service latchkey-system/latchkey-server", []any{"metadata", "annotations"}, `{"a.example/lb":"internal"}`},
		{"Service latchkey-system/latchkey-server", []any{"spec", "ports", 0, "targetPort"}, `18443`},
		{"Service latchkey-system/latchkey-webhook", []any{"spec", "ports", 0, "targetPort"}, `19443`},
		{"Service latchkey-system/latchkey-server-metrics", []any{"spec", "ports", 0, "port"}, `18080`},
		{"MutatingWebhookConfiguration /latchkey", []any{"webhooks", 0, "timeoutSeconds"}, `7`},
		{"MutatingWebhookConfiguration /latchkey", []any{"webhooks", 2, "timeoutSeconds"}, `2`},
		{"MutatingWebhookConfiguration /latchkey", []any{"webhooks", 2, "failurePolicy"}, `"Ignore"`},
		{"NetworkPolicy latchkey-system/latchkey-server", []any{"spec", "egress", 0, "ports"}, `[{"port":8443,"protocol":"TCP"}]`},
		{"NetworkPolicy latchkey-system/latchkey-server", []any{"spec", "ingress", 0}, `{"from":[{"ipBlock":{"cidr":"10.1.2.3/32"}}],"ports":[{"port":"webhook","protocol":"TCP"}]}`},
		{"NetworkPolicy latchkey-system/latchkey-server", []any{"spec", "ingress", 1, "from"}, `null`},
		{server, at(pod, "volumes"), `[{"configMap":{"name":"webhook-client-ca"},"name":"admission-client-ca"}]`},
		{server, at(container, "volumeMounts"), `[{"mountPath":"/etc/latchkey/admission-client-ca","name":"admission-client-ca","readOnly":true}]`},
		{"NetworkPolicy latchkey-system/latchkey-server", []any{"spec", "ingress", 2, "from"}, `[{"namespaceSelector":{"matchLabels":{"name":"monitoring"}}}]`},
		{"NetworkPolicy latchkey-system/latchkey-server", []any{"spec", "egress", 3}, `{"to":[{"ipBlock":{"cidr":"10.0.0.0/8"}}]}`},
		{"ServiceMonitor latchkey-system/latchkey", []any{"spec", "endpoints", 0}, `{"interval":"1m","port":"metrics","scrapeTimeout":"20s"}`},
		{"ServiceMonitor latchkey-system/latchkey", []any{"metadata", "labels", "release"}, `"prometheus"`},
		{"PrometheusRule latchkey-system/latchkey", []any{"metadata", "labels", "release"}, `"prometheus"`},
		{"ConfigMap latchkey-system/latchkey-dashboard", []any{"metadata", "labels", "dash"}, `"1"`},
		{"ConfigMap latchkey-system/latchkey-dashboard", []any{"metadata", "annotations"}, `{"folder":"Platform"}`},
		{"Ingress latchkey-system/latchkey", []any{"spec", "ingressClassName"}, `"nginx"`},
		{"Ingress latchkey-system/latchkey", []any{"spec", "tls"}, `[{"hosts":["latchkey.example"],"secretName":"latchkey-tls"}]`},
		{"Ingress latchkey-system/latchkey", []any{"spec", "rules", 0, "host"}, `"latchkey.example"`},
		{"Ingress latchkey-system/latchkey", []any{"metadata", "annotations"}, `{"a.example/protocol":"HTTPS"}`},
		{"HTTPRoute latchkey-system/latchkey", []any{"spec", "parentRefs"}, `[{"name":"public","namespace":"gateways"}]`},
		{"HTTPRoute latchkey-system/latchkey", []any{"spec", "hostnames"}, `["latchkey.example"]`},
		{"BackendTLSPolicy latchkey-system/latchkey", []any{"spec", "validation", "hostname"}, `"latchkey-server.latchkey-system.svc"`},
		{"BackendTLSPolicy latchkey-system/latchkey", []any{"spec", "validation", "caCertificateRefs", 0, "name"}, `"latchkey-ca"`},
		{"Certificate latchkey-system/latchkey-server", []any{"spec", "issuerRef"}, `{"group":"cert-manager.io","kind":"ClusterIssuer","name":"corporate"}`},
		{"Certificate latchkey-system/latchkey-server", []any{"spec", "dnsNames", 2}, `"latchkey-server.latchkey-system.svc"`},
		{"APIService /v2.coder.latchkey.dev", []any{"metadata", "annotations", "cert-manager.io/inject-ca-from"}, `"latchkey-system/latchkey-server"`},
		{"MutatingWebhookConfiguration /latchkey", []any{"metadata", "annotations", "cert-manager.io/inject-ca-from"}, `"latchkey-system/latchkey-server"`},
	} {
		content, err := json.Marshal(field(got.get(t, tt.object), tt.path...))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, string(content)); diff != "" {
			t.Errorf("%s %v (-want +got):\n%s", tt.object, tt.path, diff)
		}
	}
	for key, o := range got {
		if o.GetLabels()["team"] != "platform" {
			t.Errorf("%s does not have the common label", key)
		}
	}
}

// TestAnotherNamespace: nothing may stay behind in the one that config/ names.
func TestAnotherNamespace(t *testing.T) {
	out, problem, err := helm(t, "template", "other", chartPath, "--namespace", "secrets-team")
	if err != nil {
		t.Fatal(problem)
	}
	for n, line := range strings.Split(out, "\n") {
		if strings.Contains(line, namespace) {
			t.Errorf("line %d names %s: %s", n+1, namespace, line)
		}
	}
	for key, o := range parse(t, []byte(out)) {
		if ns := o.GetNamespace(); ns != "" && ns != "secrets-team" && ns != "kube-system" {
			t.Errorf("%s is elsewhere", key)
		}
	}
	hook := parse(t, []byte(out)).get(t, "MutatingWebhookConfiguration /latchkey")
	want := []any{"kube-system", "kube-public", "kube-node-lease", "secrets-team"}
	if diff := cmp.Diff(want, field(hook, "webhooks", 2, "namespaceSelector", "matchExpressions", 1, "values")); diff != "" {
		t.Errorf("left out of injection (-want +got):\n%s", diff)
	}
}

// TestWhatIsSwitchedOffIsNotThere has the objects that each switch takes away.
func TestWhatIsSwitchedOffIsNotThere(t *testing.T) {
	all := rendered(t, "")
	for name, tt := range map[string]struct {
		values string
		gone   []string
	}{
		"CRDs": {"crds: {install: false}", []string{"CustomResourceDefinition /agentsecrets.latchkey.dev", "CustomResourceDefinition /usersecrets.latchkey.dev"}},
		"policies": {"networkPolicies: {enabled: false}", []string{
			"NetworkPolicy latchkey-system/latchkey-controller", "NetworkPolicy latchkey-system/latchkey-server", "NetworkPolicy latchkey-system/latchkey-uninstall",
		}},
		"the controller's budget": {"controller: {podDisruptionBudget: {enabled: false}}", []string{"PodDisruptionBudget latchkey-system/latchkey-controller"}},
		"the server's budget":     {"server: {podDisruptionBudget: {enabled: false}}", []string{"PodDisruptionBudget latchkey-system/latchkey-server"}},
		"the priority class":      {"priorityClass: {create: false}", []string{"PriorityClass /latchkey"}},
		"restarts": {"controller: {restarts: {enabled: false}}", []string{
			"ClusterRole /latchkey-controller-restarts", "ClusterRoleBinding /latchkey-controller-restarts",
		}},
		"the aggregated API": {"aggregatedAPI: {enabled: false}", []string{
			"APIService /v1.golem.latchkey.dev", "APIService /v2.coder.latchkey.dev", "ClusterRole /latchkey-api-access", "ClusterRoleBinding /latchkey-api-access",
		}},
		"the hook": {"uninstallHook: {enabled: false}", []string{
			"ClusterRole /latchkey-uninstall", "ClusterRoleBinding /latchkey-uninstall", "Job latchkey-system/latchkey-uninstall",
			"NetworkPolicy latchkey-system/latchkey-uninstall", "Role latchkey-system/latchkey-uninstall",
			"RoleBinding latchkey-system/latchkey-uninstall", "ServiceAccount latchkey-system/latchkey-uninstall",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			got := rendered(t, tt.values)
			var gone []string
			for key := range all {
				if got[key] == nil {
					gone = append(gone, key)
				}
			}
			slices.Sort(gone)
			if diff := cmp.Diff(tt.gone, gone); diff != "" {
				t.Errorf("gone (-want +got):\n%s", diff)
			}
			for key := range got {
				if all[key] == nil {
					t.Errorf("%s came", key)
				}
			}
		})
	}
	for values, flag := range map[string]string{
		"aggregatedAPI: {enabled: false}":            "--unregister-apis-after=0", // nothing is there to unregister
		"controller: {sources: {dropMissing: true}}": "--drop-missing-sources",
	} {
		const controller = "Deployment latchkey-system/latchkey-controller"
		for values, want := range map[string]bool{"": false, values: true} {
			args := fmt.Sprint(field(rendered(t, values).get(t, controller), "spec", "template", "spec", "containers", 0, "args"))
			if got := strings.Contains(args, flag); got != want {
				t.Errorf("with %q the controller has %s: %t", values, flag, got)
			}
		}
	}
	t.Run("pods without injection", func(t *testing.T) {
		webhooks, _ := field(rendered(t, "webhooks: {pods: {enabled: false}}").get(t, "MutatingWebhookConfiguration /latchkey"), "webhooks").([]any)
		if len(webhooks) != 2 {
			t.Errorf("there are %d webhooks, want those of the kinds", len(webhooks))
		}
	})
	t.Run("pods without priority", func(t *testing.T) {
		for key, o := range rendered(t, `priorityClass: {name: ""}`) {
			if o.GetKind() == "PriorityClass" || field(o, "spec", "template", "spec", "priorityClassName") != nil {
				t.Errorf("%s has one", key)
			}
		}
	})
}

// TestWithNamedTenantsNothingReachesFurther: the accounts have rights to Secrets, objects,
// workloads and events nowhere but in the tenants' and Latchkey's own namespaces.
func TestWithNamedTenantsNothingReachesFurther(t *testing.T) {
	got := rendered(t, "tenantNamespaces: [alice, shop-prod]")
	for key, o := range got {
		if o.GetKind() != "ClusterRole" || strings.HasPrefix(o.GetName(), "latchkey-view") || strings.HasPrefix(o.GetName(), "latchkey-edit") {
			continue
		}
		rules, _ := field(o, "rules").([]any)
		for _, rule := range rules {
			text := fmt.Sprint(rule)
			for _, namespaced := range []string{"[secrets]", "usersecrets", "agentsecrets", "deployments", "events"} {
				if strings.Contains(text, namespaced) {
					t.Errorf("%s reaches every namespace: %s", key, text)
				}
			}
		}
	}
	for _, ns := range []string{"alice", "shop-prod"} {
		role := got.get(t, "Role "+ns+"/latchkey-controller")
		if !strings.Contains(fmt.Sprint(role.Object), "[secrets]") || !strings.Contains(fmt.Sprint(role.Object), "deployments") {
			t.Errorf("the controller cannot do its work in %s: %v", ns, role.Object)
		}
		if strings.Contains(fmt.Sprint(got.get(t, "Role "+ns+"/latchkey-server").Object), "[secrets]") {
			t.Errorf("the server has a right to Secrets in %s", ns)
		}
		for _, component := range []string{"controller", "server"} {
			binding := got.get(t, "RoleBinding "+ns+"/latchkey-"+component)
			if field(binding, "subjects", 0, "namespace") != namespace || field(binding, "subjects", 0, "name") != "latchkey-"+component {
				t.Errorf("the role in %s is given to %v", ns, field(binding, "subjects"))
			}
		}
	}
	webhooks, _ := field(got.get(t, "MutatingWebhookConfiguration /latchkey"), "webhooks").([]any)
	for i := range webhooks {
		selector := fmt.Sprint(webhooks[i].(map[string]any)["namespaceSelector"])
		if !strings.Contains(selector, "[alice shop-prod]") {
			t.Errorf("webhook %d is asked about every namespace: %s", i, selector)
		}
	}
	// What a role with namespaces takes away, it must give back in the namespace of the keys.
	own := fmt.Sprint(got.get(t, "Role latchkey-system/latchkey-controller").Object)
	if !strings.Contains(own, "[secrets] verbs:[get list watch create patch delete]") {
		t.Errorf("the controller cannot keep the keys: %s", own)
	}
}

// TestWithCertManagerTheControllerLeavesTrustAlone: it has no right that it does not
// need any more, and cert-manager has a CA to inject. What is left is its own webhook
// configuration, in which it keeps the admission path.
func TestWithCertManagerTheControllerLeavesTrustAlone(t *testing.T) {
	got := rendered(t, "certificates: {certManager: {enabled: true}}")
	const own = "map[apiGroups:[admissionregistration.k8s.io] resourceNames:[latchkey] resources:[mutatingwebhookconfigurations] verbs:[get update]]"
	const status = "map[apiGroups:[latchkey.dev] resources:[usersecrets/status agentsecrets/status] verbs:[update]]"
	text := fmt.Sprint(got.get(t, "ClusterRole /latchkey-controller").Object)
	if !strings.Contains(text, own) || strings.Contains(strings.NewReplacer(own, "", status, "").Replace(text), "update") {
		t.Errorf("the controller may change trust, or cannot keep the admission path: %s", text)
	}
	if text := fmt.Sprint(rendered(t, "certificates: {certManager: {enabled: true}}\naggregatedAPI: {enabled: false}").get(t, "ClusterRole /latchkey-controller").Object); strings.Contains(text, "apiservices") {
		t.Errorf("the controller may change APIServices that there are not: %s", text)
	}
	if text := fmt.Sprint(got.get(t, "Role latchkey-system/latchkey-controller").Object); strings.Contains(text, "[secrets]") {
		t.Errorf("the controller may still change the certificate: %s", text)
	}
	var issued []string
	for key := range got {
		if strings.HasPrefix(key, "Issuer ") || strings.HasPrefix(key, "Certificate ") {
			issued = append(issued, key)
		}
	}
	slices.Sort(issued)
	want := []string{
		"Certificate latchkey-system/latchkey-ca", "Certificate latchkey-system/latchkey-server",
		"Issuer latchkey-system/latchkey-ca", "Issuer latchkey-system/latchkey-selfsigned",
	}
	if diff := cmp.Diff(want, issued); diff != "" {
		t.Errorf("issuers and certificates (-want +got):\n%s", diff)
	}
	certificate := got.get(t, "Certificate latchkey-system/latchkey-server")
	if field(certificate, "spec", "secretName") != "latchkey-server-tls" || field(certificate, "spec", "issuerRef", "name") != "latchkey-ca" {
		t.Errorf("the certificate is %v", certificate.Object["spec"])
	}
	if issued := slices.Sorted(maps.Keys(rendered(t, "certificates: {certManager: {enabled: true, issuerRef: {name: x}}}"))); slices.Contains(issued, "Issuer latchkey-system/latchkey-ca") {
		t.Error("with an issuer of one's own, the chart makes another")
	}
}

func TestCRDsAndHooks(t *testing.T) {
	for key, o := range rendered(t, "") {
		if kept := o.GetAnnotations()["helm.sh/resource-policy"] == "keep"; kept != (o.GetKind() == "CustomResourceDefinition") {
			t.Errorf("%s stays when the chart goes: %t", key, kept)
		}
		if o.GetName() == "latchkey-uninstall" && o.GetAnnotations()["helm.sh/hook"] != "pre-delete" {
			t.Errorf("%s is there before it is needed", key)
		}
	}
	weight := func(o *unstructured.Unstructured) string { return o.GetAnnotations()["helm.sh/hook-weight"] }
	got := rendered(t, "")
	if weight(got["ServiceAccount latchkey-system/latchkey-uninstall"]) != "-10" || weight(got["Job latchkey-system/latchkey-uninstall"]) != "0" {
		t.Error("the Job does not come after its rights")
	}
}

func TestNotes(t *testing.T) {
	for name, tt := range map[string]struct {
		values []string
		want   []string
	}{
		"by default":            {nil, []string{"rollout status deployment/latchkey-server", "kubectl label namespace alice", "get secrets --selector latchkey.dev/sealing-key"}},
		"with named tenants":    {[]string{"--set", "tenantNamespaces={bob}"}, []string{"kubectl label namespace bob latchkey.dev/user=bob"}},
		"without the hook":      {[]string{"--set", "uninstallHook.enabled=false"}, []string{"kubectl delete apiservices/v2.coder.latchkey.dev"}},
		"on the node's network": {[]string{"--set", "server.hostNetwork=true"}, []string{"must not enforce Pod Security"}},
	} {
		t.Run(name, func(t *testing.T) {
			out, problem, err := helm(t, append([]string{"install", "latchkey", chartPath, "--namespace", namespace, "--dry-run=client"}, tt.values...)...)
			if err != nil {
				t.Fatal(problem)
			}
			_, notes, _ := strings.Cut(out, "NOTES:")
			for _, want := range tt.want {
				if !strings.Contains(notes, want) {
					t.Errorf("the notes do not say %q:\n%s", want, notes)
				}
			}
		})
	}
}
