// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/version"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/keys"
	"github.com/latchkey-dev/latchkey/internal/seal/sealtest"
)

// The ids of the newest key and of the one before.
const key2, key1 = "2222222222222222", "0123456789abcdef"

var now = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// certificate returns one that ends at a time, as PEM.
func certificate(t *testing.T, notAfter time.Time) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: notAfter}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func ptr[T any](v T) *T { return &v }

// public is a published key.
func public(t *testing.T) string {
	t.Helper()
	key, _ := sealtest.NewKey(t)
	return base64.StdEncoding.EncodeToString(key.Bytes())
}

// soundSystem is an installation in which nothing is wrong.
func soundSystem(t *testing.T) SystemFacts {
	t.Helper()
	f := SystemFacts{
		Namespace: "latchkey-system", Plugin: "v1", Now: now,
		Kubernetes: Read[version.Info]{Value: version.Info{Major: "1", Minor: "35+", GitVersion: "v1.35.0"}},
		Served:     Read[[]string]{Value: []string{"usersecrets", "usersecrets/status", "agentsecrets"}},
		CRDs:       map[string]Read[CRD]{}, APIServices: map[string]Read[APIService]{},
		Deployments: map[string]Read[appsv1.Deployment]{}, Leases: map[string]Read[coordinationv1.Lease]{},
		Unregistered: Read[map[string]string]{Absent: true},
		Published:    Read[map[string]string]{Value: map[string]string{"key-id": key2, "public.b64": public(t), "limits.json": "{}", "version": "v1"}},
		Keys: Read[[]keys.Key]{Value: []keys.Key{
			{ID: key2, Created: now.Add(-29 * 24 * time.Hour), BackedUp: &now, RotateRequested: now.Add(-30 * 24 * time.Hour).Format(time.RFC3339)},
			{ID: key1, Created: now.Add(-60 * 24 * time.Hour), BackedUp: &now},
		}},
		Objects: Read[[]cluster.Item]{Value: []cluster.Item{user("a", v1alpha1.ReasonProjected, metav1.ConditionTrue)}},
	}
	var crd CRD
	crd.Spec.Versions = append(crd.Spec.Versions, struct {
		Name   string `json:"name"`
		Served bool   `json:"served"`
	}{"v1alpha1", true})
	crd.Status.Conditions = []Condition{{Type: "Established", Status: "True"}}
	ca := certificate(t, now.Add(time.Hour))
	var service APIService
	service.Spec.CABundle = ca
	service.Status.Conditions = []Condition{{Type: "Available", Status: "True"}}
	for i, name := range crdNames {
		f.CRDs[name] = Read[CRD]{Value: crd}
		f.APIServices[apiServiceNames[i]] = Read[APIService]{Value: service}
	}
	for _, name := range append(append([]string{"projected-pods.latchkey.dev"}, secretHooks...), podHooks...) {
		f.Webhooks.Value.Webhooks = append(f.Webhooks.Value.Webhooks, admissionregistrationv1.MutatingWebhook{
			Name: name, ClientConfig: admissionregistrationv1.WebhookClientConfig{
				CABundle: ca, Service: &admissionregistrationv1.ServiceReference{Path: ptr("/x")},
			},
			FailurePolicy:   ptr(admissionregistrationv1.Fail),
			MatchConditions: []admissionregistrationv1.MatchCondition{{Name: "not-from-rest"}},
			Rules:           []admissionregistrationv1.RuleWithOperations{{Operations: []admissionregistrationv1.OperationType{"CREATE", "UPDATE"}}},
		})
	}
	for _, name := range deployments {
		f.Deployments[name] = Read[appsv1.Deployment]{Value: appsv1.Deployment{
			Spec: appsv1.DeploymentSpec{Replicas: ptr[int32](2), Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
				Containers: []corev1.Container{{Image: "latchkey:v1"}},
			}}},
			Status: appsv1.DeploymentStatus{AvailableReplicas: 2},
		}}
		f.Leases[name] = Read[coordinationv1.Lease]{Value: coordinationv1.Lease{Spec: coordinationv1.LeaseSpec{
			HolderIdentity: ptr("one"), RenewTime: &metav1.MicroTime{Time: now.Add(-40 * time.Second)}, LeaseDurationSeconds: ptr[int32](15),
		}}}
	}
	return f
}

// user is a UserSecret with a condition, and a variable in capitals.
func user(name, reason string, status metav1.ConditionStatus) cluster.Item {
	u := &v1alpha1.UserSecret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "alice", Name: name, CreationTimestamp: metav1.NewTime(now.Add(-time.Hour))},
		Spec:       v1alpha1.UserSecretSpec{Name: name, EnvName: "TOKEN", SealedValue: sealedWith(key1)},
	}
	u.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: status, Reason: reason, Message: "so it is"}}
	if status == metav1.ConditionTrue {
		u.Status.Env = &v1alpha1.Landing{SecretName: v1alpha1.BundleUserEnv, Key: "TOKEN"}
	}
	return cluster.Item{User: u}
}

// sealedWith is a text of which only the key is looked at.
func sealedWith(key string) string { return "lk1." + key + "." + strings.Repeat("A", 1516) }

// changed puts a changed value into a map.
func changed[T any](in map[string]Read[T], name string, change func(*T)) {
	r := in[name]
	change(&r.Value)
	in[name] = r
}

// unwell returns what is not well: check, state and text.
func unwell(all []Finding) []string {
	var out []string
	for _, f := range all {
		if f.State != OK {
			out = append(out, f.Check+" "+f.State+": "+f.Text)
		}
	}
	return out
}

func TestSystem_OfASoundInstallation_FindsNothing(t *testing.T) {
	found := System(soundSystem(t))
	if diff := cmp.Diff([]string(nil), unwell(found)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if len(found) < 12 || !Healthy(found) {
		t.Errorf("%d findings, healthy: %t", len(found), Healthy(found))
	}
}

func TestSystem_BrokenInOneWay_NamesThatWayAlone(t *testing.T) {
	const coder = "v2.coder.latchkey.dev"
	for name, tt := range map[string]struct {
		change func(*SystemFacts)
		want   string
	}{
		"Kubernetes is too old": {func(f *SystemFacts) {
			f.Kubernetes.Value = version.Info{Major: "1", Minor: "34", GitVersion: "v1.34.2"}
		},
			"Kubernetes failed: it is v1.34.2, and Latchkey needs 1.35 or newer"},
		"the API is not served": {func(f *SystemFacts) { f.Served = Read[[]string]{Absent: true} },
			"API failed: the cluster does not serve usersecrets of latchkey.dev/v1alpha1"},
		"one kind is not served": {func(f *SystemFacts) { f.Served.Value = []string{"usersecrets"} },
			"API failed: the cluster does not serve agentsecrets of latchkey.dev/v1alpha1"},
		"a CRD is missing": {func(f *SystemFacts) { f.CRDs["agentsecrets.latchkey.dev"] = Read[CRD]{Absent: true} },
			"CRDs failed: agentsecrets.latchkey.dev is missing"},
		"a CRD is not established": {func(f *SystemFacts) {
			changed(f.CRDs, "agentsecrets.latchkey.dev", func(c *CRD) {
				c.Status.Conditions = []Condition{{Type: "Established", Status: "False", Reason: "NotAccepted", Message: "names conflict"}}
			})
		}, "CRDs failed: agentsecrets.latchkey.dev is not established: NotAccepted names conflict"},
		"a CRD is of another version": {func(f *SystemFacts) {
			changed(f.CRDs, "agentsecrets.latchkey.dev", func(c *CRD) { c.Spec.Versions = nil })
		}, "CRDs failed: agentsecrets.latchkey.dev does not serve v1alpha1"},
		"the webhooks are missing": {func(f *SystemFacts) { f.Webhooks.Absent = true },
			"Webhooks failed: MutatingWebhookConfiguration latchkey is missing: values that are not sealed are refused, and pods get no secrets"},
		"one webhook is missing": {func(f *SystemFacts) { f.Webhooks.Value.Webhooks[1].Name = "other" },
			"Webhooks failed: usersecrets.latchkey.dev is missing: values of that kind that are not sealed are refused"},
		"the webhook for pods is missing": {func(f *SystemFacts) { f.Webhooks.Value.Webhooks[3].Name = "other" },
			"Webhooks warning: pods.latchkey.dev is missing: pods get no secrets, unless that is meant (webhooks.pods.enabled)"},
		"a webhook does not refuse": {func(f *SystemFacts) { *f.Webhooks.Value.Webhooks[1].FailurePolicy = admissionregistrationv1.Ignore },
			"Webhooks failed: usersecrets.latchkey.dev was altered: objects are not refused while no server answers"},
		"a webhook is not asked about updates": {func(f *SystemFacts) {
			f.Webhooks.Value.Webhooks[1].Rules[0].Operations = []admissionregistrationv1.OperationType{"CREATE"}
		}, "Webhooks failed: usersecrets.latchkey.dev was altered: it is not asked about every creation and update"},
		"a webhook has another condition": {func(f *SystemFacts) {
			f.Webhooks.Value.Webhooks[1].MatchConditions = append(f.Webhooks.Value.Webhooks[1].MatchConditions, admissionregistrationv1.MatchCondition{Name: "never"})
		}, "Webhooks failed: usersecrets.latchkey.dev was altered: it has a condition that is not Latchkey's: never"},
		"a caBundle is empty": {func(f *SystemFacts) { f.Webhooks.Value.Webhooks[1].ClientConfig.CABundle = nil },
			"Webhooks failed: the caBundle of usersecrets.latchkey.dev is empty; the controller writes it"},
		"a caBundle is no certificate": {func(f *SystemFacts) {
			f.Webhooks.Value.Webhooks[1].ClientConfig.CABundle = []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
		}, "Webhooks failed: the caBundle of usersecrets.latchkey.dev cannot be read; the controller writes it"},
		"a caBundle has expired": {func(f *SystemFacts) { f.Webhooks.Value.Webhooks[1].ClientConfig.CABundle = certificate(t, now) },
			"Webhooks failed: the caBundle of usersecrets.latchkey.dev has no certificate that is still valid; the controller writes it"},
		"a webhook has no path": {func(f *SystemFacts) { f.Webhooks.Value.Webhooks[1].ClientConfig.Service.Path = nil },
			"Webhooks failed: usersecrets.latchkey.dev has no path; the controller writes it"},
		"an APIService is unregistered": {func(f *SystemFacts) {
			f.APIServices[coder], f.Unregistered = Read[APIService]{Absent: true}, Read[map[string]string]{Value: map[string]string{coder: "{}"}}
		}, "APIServices failed: v2.coder.latchkey.dev is unregistered, since no server is ready"},
		"an APIService is missing": {func(f *SystemFacts) { f.APIServices[coder] = Read[APIService]{Absent: true} },
			"APIServices failed: v2.coder.latchkey.dev is missing"},
		"there are no APIServices, by choice or not": {func(f *SystemFacts) {
			f.APIServices = map[string]Read[APIService]{coder: {Absent: true}, "v1.golem.latchkey.dev": {Absent: true}}
		},
			"APIServices warning: there are none: the REST APIs have Latchkey's own port alone, unless that is meant (aggregatedAPI.enabled)"},
		"an APIService is not available": {func(f *SystemFacts) {
			changed(f.APIServices, coder, func(s *APIService) {
				s.Status.Conditions = []Condition{{Type: "Available", Status: "False", Reason: "MissingEndpoints", Message: "none"}}
			})
		}, "APIServices failed: v2.coder.latchkey.dev is not available: MissingEndpoints none"},
		"an APIService has no caBundle": {func(f *SystemFacts) { changed(f.APIServices, coder, func(s *APIService) { s.Spec.CABundle = nil }) },
			"APIServices failed: the caBundle of v2.coder.latchkey.dev is empty; the controller writes it"},
		"nothing of a Deployment is available": {func(f *SystemFacts) {
			changed(f.Deployments, server, func(d *appsv1.Deployment) { d.Status.AvailableReplicas = 0 })
		}, "Deployments failed: no replica of latchkey-server is available"},
		"a part of a Deployment is available": {func(f *SystemFacts) {
			changed(f.Deployments, server, func(d *appsv1.Deployment) { d.Status.AvailableReplicas = 1 })
		}, "Deployments warning: 1 of 2 replicas of latchkey-server are available"},
		"a Deployment is scaled to nothing": {func(f *SystemFacts) {
			changed(f.Deployments, server, func(d *appsv1.Deployment) { d.Spec.Replicas = ptr[int32](0) })
		}, "Deployments failed: latchkey-server is scaled to nothing"},
		"an upgrade stopped half way": {func(f *SystemFacts) {
			changed(f.Deployments, server, func(d *appsv1.Deployment) {
				d.Spec.Template.Spec.Containers = []corev1.Container{{Image: "latchkey:v2"}}
			})
		}, "Deployments warning: controller and server run different images: latchkey:v1, latchkey:v2"},
		"nobody leads": {func(f *SystemFacts) {
			changed(f.Leases, controller, func(l *coordinationv1.Lease) { l.Spec.HolderIdentity = ptr("") })
		}, "Leader failed: no controller leads, so nothing is reconciled: nobody holds Lease latchkey-controller"},
		"who led was killed": {func(f *SystemFacts) {
			changed(f.Leases, controller, func(l *coordinationv1.Lease) { l.Spec.RenewTime = &metav1.MicroTime{Time: now.Add(-46 * time.Second)} })
		}, "Leader failed: no controller leads, so nothing is reconciled: Lease latchkey-controller was last renewed at 2026-11-25T11:59:14Z"},
		"nobody ever answered REST": {func(f *SystemFacts) { f.Leases[server] = Read[coordinationv1.Lease]{Absent: true} },
			"Leader failed: no server answers REST: there is no Lease latchkey-server"},
		"the key is too old": {func(f *SystemFacts) { f.Keys.Value[0].Created = now.Add(-31*24*time.Hour - time.Minute) },
			"Sealing keys failed: the newest, " + key2 + ", is 31 days old and should have had a successor after 30 days"},
		"the key is too old for what a flag says": {func(f *SystemFacts) {
			changed(f.Deployments, controller, func(d *appsv1.Deployment) {
				d.Spec.Template.Spec.Containers[0].Args = []string{"controller", "--key-rotation=72h"}
			})
		}, "Sealing keys failed: the newest, " + key2 + ", is 29 days old and should have had a successor after 3 days"},
		"a request for a successor was not answered": {func(f *SystemFacts) {
			f.Keys.Value[0].RotateRequested = now.Add(-6 * time.Minute).Format(time.RFC3339Nano)
		},
			"Sealing keys failed: a successor of " + key2 + " was asked for at 2026-11-25T11:54:00Z and has not been made"},
		"a key is in no backup": {func(f *SystemFacts) { f.Keys.Value[1].BackedUp = nil },
			"Backup warning: no backup by this plugin has " + key1 + ": what it seals is lost with it"},
		"nothing is published": {func(f *SystemFacts) { f.Published = Read[map[string]string]{Absent: true} },
			"Public keys failed: ConfigMap latchkey-public-keys is not in namespace latchkey-system; the controller writes it"},
		"an older key is published": {func(f *SystemFacts) { f.Published.Value["key-id"] = key1 },
			`Public keys failed: key "` + key1 + `" is published, and ` + key2 + ` is the newest`},
		"what is published is no key": {func(f *SystemFacts) { f.Published.Value["public.b64"] = "AAAA" },
			"Public keys failed: ConfigMap latchkey-public-keys holds no public key"},
		"the server is of the version before": {func(f *SystemFacts) { delete(f.Published.Value, "limits.json"); delete(f.Published.Value, "version") },
			"Versions warning: ConfigMap latchkey-public-keys has no limits.json and no version: the server is older than this plugin (v1); limits are taken to be the default ones"},
		"the server is of another version": {func(f *SystemFacts) { f.Published.Value["version"] = "v2" },
			"Versions warning: the plugin is v1, the server v2"},
		"a value has a key that does not exist": {func(f *SystemFacts) { f.Objects.Value[0].User.Spec.SealedValue = sealedWith("1111111111111111") },
			"Lost keys failed: 1 value cannot be opened, since the key is gone: alice/a"},
		"an object is not ready": {func(f *SystemFacts) {
			f.Objects.Value = append(f.Objects.Value, user("b", v1alpha1.ReasonConflict, metav1.ConditionFalse), user("c", v1alpha1.ReasonConflict, metav1.ConditionFalse))
		}, "Objects warning: 2 of 3 are not ready: Conflict 2"},
		"a right is missing": {func(f *SystemFacts) {
			f.Webhooks.Denied = "get mutatingwebhookconfigurations.admissionregistration.k8s.io in the whole cluster"
		}, "Webhooks unknown: you may not get mutatingwebhookconfigurations.admissionregistration.k8s.io in the whole cluster"},
		"the API server fails": {func(f *SystemFacts) { f.Webhooks.Problem = "etcd is away" },
			"Webhooks failed: it cannot be read: etcd is away"},
	} {
		t.Run(name, func(t *testing.T) {
			f := soundSystem(t)
			tt.change(&f)
			found := System(f)
			if diff := cmp.Diff([]string{tt.want}, unwell(found)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			for _, finding := range found {
				if finding.State == Failed && finding.Fix == "" {
					t.Errorf("%s has no command", finding.Check)
				}
			}
		})
	}
}

func TestSystem_ALostKey_IsNamedWithItsObjects(t *testing.T) {
	f := soundSystem(t)
	f.Objects.Value = []cluster.Item{user("b", v1alpha1.ReasonKeyNotFound, metav1.ConditionFalse)}
	want := []string{
		"Lost keys failed: 1 value cannot be opened, since the key is gone: alice/b",
		"Objects warning: 1 of 1 are not ready: KeyNotFound 1",
	}
	if diff := cmp.Diff(want, unwell(System(f))); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

// Processes can run outside of the cluster, as those of the local stack do.
func TestSystem_WithoutDeployments_IsSoundWhereLeasesAreHeld(t *testing.T) {
	f := soundSystem(t)
	f.Deployments = map[string]Read[appsv1.Deployment]{controller: {Absent: true}, server: {Absent: true}}
	if diff := cmp.Diff([]string(nil), unwell(System(f))); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	f.Leases[server] = Read[coordinationv1.Lease]{Absent: true}
	want := []string{
		"Deployments failed: latchkey-server is not in namespace latchkey-system, and nothing does its work from elsewhere",
		"Leader failed: no server answers REST: there is no Lease latchkey-server",
	}
	if diff := cmp.Diff(want, unwell(System(f))); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}
