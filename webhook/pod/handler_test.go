// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package pod_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/bundle"
	"github.com/latchkey-dev/latchkey/internal/caches"
	"github.com/latchkey-dev/latchkey/internal/policy/limits"
	"github.com/latchkey-dev/latchkey/internal/projector"
	"github.com/latchkey-dev/latchkey/webhook/pod"
)

const plainPod = `{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {securityContext: {runAsUser: 0}, containers: [{name: app, image: i}]}}`

const (
	userDir  = "latchkey-user/ at /run/latchkey/user"
	agentDir = "latchkey-agent/ at /run/latchkey/agent"
)

func disabled(u *v1alpha1.UserSecret) { u.Spec.Enabled = new(false) }

func deleting(u *v1alpha1.UserSecret) {
	u.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}
}

func annotated(key, value string) func(*v1alpha1.UserSecret) {
	return func(u *v1alpha1.UserSecret) { metav1.SetMetaDataAnnotation(&u.ObjectMeta, key, value) }
}

func recorded(kind v1alpha1.ClaimKind, value, since string) func(*v1alpha1.UserSecret) {
	return func(u *v1alpha1.UserSecret) {
		u.Status.ObservedUID = string(u.UID)
		u.Status.Claims = append(u.Status.Claims, v1alpha1.Claim{Kind: kind, Value: value, Since: since})
	}
}

func TestWhatIsProjected(t *testing.T) {
	fileAt := func(key, path string) string { return "latchkey-user-paths/" + key + " at " + path }
	for name, tc := range map[string]struct {
		objects    []client.Object
		limits     limits.User
		wantEnv    []string
		wantMounts []string
	}{
		"a namespace that is no tenant and has no secrets gets nothing": {},
		"a user without secrets gets what later secrets need": {
			objects: []client.Object{namespace(map[string]string{v1alpha1.LabelUser: "alice"})},
			wantEnv: []string{"latchkey-user-env"}, wantMounts: []string{userDir},
		},
		"an environment without secrets gets what later secrets need": {
			objects: []client.Object{namespace(map[string]string{v1alpha1.LabelEnvironment: "prod"})},
			wantEnv: []string{"latchkey-agent-env"}, wantMounts: []string{agentDir},
		},
		"a namespace of both kinds gets both": {
			objects: []client.Object{user(1, "a", "A", ""), agent()},
			wantEnv: []string{"latchkey-agent-env", "latchkey-user-env"}, wantMounts: []string{userDir, agentDir},
		},
		"secrets of other namespaces are not seen": {
			objects: []client.Object{user(1, "a", "A", "~/a", func(u *v1alpha1.UserSecret) { u.Namespace = "bob" })},
		},
		"a secret whose status was never written is at its path": {
			objects: []client.Object{user(1, "gh token", "", "~/.config/gh/token")},
			wantEnv: []string{"latchkey-user-env"},
			wantMounts: []string{
				userDir, fileAt(bundle.UserFileKey("gh token"), "/root/.config/gh/token"),
			},
		},
		"a value from a native Secret is at its path": {
			objects: []client.Object{user(1, "a", "", "/srv/a", func(u *v1alpha1.UserSecret) {
				u.Spec.SealedValue = ""
				u.Spec.ValueFrom = &v1alpha1.ValueSource{SecretKeyRef: v1alpha1.SecretKeyRef{Name: "n", Key: "k"}}
			}, annotated(v1alpha1.AnnotationSourceApproval, "yes"))},
			wantEnv: []string{"latchkey-user-env"}, wantMounts: []string{userDir, fileAt("a", "/srv/a")},
		},
		"a value from a native Secret that nobody approved is not": {
			objects: []client.Object{user(1, "a", "", "/srv/a", func(u *v1alpha1.UserSecret) {
				u.Spec.SealedValue = ""
				u.Spec.ValueFrom = &v1alpha1.ValueSource{SecretKeyRef: v1alpha1.SecretKeyRef{Name: "n", Key: "k"}}
			})},
			wantEnv: []string{"latchkey-user-env"}, wantMounts: []string{userDir},
		},
		"a disabled secret has no path, and its namespace is a tenant's": {
			objects: []client.Object{user(1, "a", "A", "~/a", disabled)},
			wantEnv: []string{"latchkey-user-env"}, wantMounts: []string{userDir},
		},
		"a secret that is being deleted does not count": {
			objects: []client.Object{
				user(1, "a", "A", "~/a", deleting),
				agent(func(a *v1alpha1.AgentSecret) { a.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)} }),
			},
		},
		"an import that is not committed does not count": {
			objects: []client.Object{user(1, "a", "A", "~/a", annotated(v1alpha1.AnnotationPending, "x"))},
		},
		"an import that is committed counts": {
			objects: []client.Object{
				user(1, "a", "A", "~/a", annotated(v1alpha1.AnnotationPending, "x")),
				user(2, "b", "B", "", annotated(v1alpha1.AnnotationCommitted, "x")),
			},
			wantEnv: []string{"latchkey-user-env"}, wantMounts: []string{userDir, fileAt("a", "/root/a")},
		},
		"of two secrets with one path the earlier has it": {
			objects: []client.Object{user(2, "late", "", "~/a"), user(1, "early", "", "~/a")},
			wantEnv: []string{"latchkey-user-env"}, wantMounts: []string{userDir, fileAt("early", "/root/a")},
		},
		"a secret that lost its variable has no path either": {
			objects: []client.Object{user(2, "late", "A", "~/late"), user(1, "early", "A", "~/early")},
			wantEnv: []string{"latchkey-user-env"}, wantMounts: []string{userDir, fileAt("early", "/root/early")},
		},
		"a secret over the limit has no path": {
			objects: []client.Object{user(2, "late", "", "~/late"), user(1, "early", "", "~/early")},
			limits:  limits.User{Secrets: 1, ValueBytes: 100, EnvValueBytes: 100},
			wantEnv: []string{"latchkey-user-env"}, wantMounts: []string{userDir, fileAt("early", "/root/early")},
		},
		"a path that cannot be a file is left out": {
			objects: []client.Object{user(1, "a", "", "/etc/hosts"), user(2, "b", "", "~/b")},
			wantEnv: []string{"latchkey-user-env"}, wantMounts: []string{userDir, fileAt("b", "/root/b")},
		},
		"where two paths meet in the container, the earlier claim on the path wins": {
			objects: []client.Object{
				// The claim on the path is older than the object's last change, and than its claim on the name.
				user(9, "first", "", "/root/x", recorded(v1alpha1.ClaimFile, "/root/x", "1")),
				user(5, "second", "", "~/x", recorded(v1alpha1.ClaimName, "second", "1"), recorded(v1alpha1.ClaimFile, "~/x", "4")),
			},
			wantEnv: []string{"latchkey-user-env"}, wantMounts: []string{userDir, fileAt("first", "/root/x")},
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := handler(newStore(tc.objects...))
			if tc.limits.Secrets != 0 {
				h.Limits = tc.limits
			}
			raw, _ := admit(t, h, review(t, plainPod))
			got := decode(t, raw)
			var env []string
			for _, e := range got.Spec.Containers[0].EnvFrom {
				env = append(env, e.SecretRef.Name)
			}
			if diff := cmp.Diff(tc.wantEnv, env); diff != "" {
				t.Errorf("envFrom (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.wantMounts, mounts(got)); diff != "" {
				t.Errorf("mounts (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOptionsReachTheProjection(t *testing.T) {
	h := handler(newStore(user(1, "a", "", "~/a")))
	h.Options = projector.Options{DefaultHome: "/home/dev"}
	raw, _ := admit(t, h, review(t, plainPod))
	want := []string{userDir, "latchkey-user-paths/a at /home/dev/a"}
	if diff := cmp.Diff(want, mounts(decode(t, raw))); diff != "" {
		t.Errorf("mounts (-want +got):\n%s", diff)
	}
}

func TestDryRunsAndRepeatsAreTheSame(t *testing.T) {
	h := handler(newStore(user(1, "a", "A", "~/a"), agent()))
	req := review(t, plainPod)
	raw, resp := admit(t, h, req)
	if len(resp.Patch) == 0 {
		t.Fatal("nothing was projected")
	}
	if len(resp.Warnings) == 0 {
		t.Error("no warning that a file at its own path is as of the start")
	}
	req.DryRun = new(true)
	_, dry := admit(t, h, req)
	if diff := cmp.Diff(resp, dry); diff != "" {
		t.Errorf("a dry run differs:\n%s", diff)
	}
	req.Object.Raw = raw
	if _, again := admit(t, h, req); len(again.Patch) != 0 {
		t.Errorf("a repeated admission changes the pod: %s", again.Patch)
	}
}

// TestEveryChangeIsSeen asks one handler again and again, which may remember what it
// worked out before.
func TestEveryChangeIsSeen(t *testing.T) {
	objects := newStore()
	h := handler(objects)
	first, second := user(1, "a", "", "~/a"), user(2, "b", "", "~/b")
	moved := user(3, "a", "", "~/moved")
	again := user(4, "a", "", "~/a", func(u *v1alpha1.UserSecret) { u.UID = "another" })
	elsewhere := user(1, "a", "", "~/a", func(u *v1alpha1.UserSecret) { u.Namespace, u.Spec.FilePath = "bob", "~/bobs" })
	for _, step := range []struct {
		name    string
		objects []client.Object
		as      string
		want    []string
	}{
		{"there is none", nil, tenant, nil},
		{"one is added", []client.Object{first}, tenant, []string{"/root/a"}},
		{"nothing changed", []client.Object{first}, tenant, []string{"/root/a"}},
		{"another is added", []client.Object{first, second}, tenant, []string{"/root/a", "/root/b"}},
		{"they come in another order", []client.Object{second, first}, tenant, []string{"/root/a", "/root/b"}},
		{"one is changed", []client.Object{moved, second}, tenant, []string{"/root/b", "/root/moved"}},
		{"one is deleted", []client.Object{moved}, tenant, []string{"/root/moved"}},
		{"it is made again", []client.Object{again}, tenant, []string{"/root/a"}},
		{"another tenant's object is alike", []client.Object{first, elsewhere}, "bob", []string{"/root/bobs"}},
		{"all are deleted", nil, tenant, nil},
	} {
		*objects = *newStore(step.objects...)
		req := review(t, plainPod)
		req.Namespace = step.as
		raw, _ := admit(t, h, req)
		var got []string
		for _, m := range decode(t, raw).Spec.Containers[0].VolumeMounts {
			if m.SubPath != "" {
				got = append(got, m.MountPath)
			}
		}
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("after %s (-want +got):\n%s", step.name, diff)
		}
	}
}

func TestPodsThatAreLeftAlone(t *testing.T) {
	objects := newStore(user(1, "a", "A", "~/a"))
	for name, change := range map[string]func(*admissionv1.AdmissionRequest){
		"an update of a pod without secrets": func(r *admissionv1.AdmissionRequest) {
			r.Operation, r.OldObject = admissionv1.Update, r.Object
		},
		"a deletion":    func(r *admissionv1.AdmissionRequest) { r.Operation = admissionv1.Delete },
		"a subresource": func(r *admissionv1.AdmissionRequest) { r.SubResource = "eviction" },
		"a pod that opted out": func(r *admissionv1.AdmissionRequest) {
			r.Object.Raw = bytes.Replace(r.Object.Raw, []byte(`"name":"p"`), []byte(`"name":"p","annotations":{"latchkey.dev/inject":"false"}`), 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			req := review(t, plainPod)
			change(&req.AdmissionRequest)
			if _, resp := admit(t, handler(objects), req); len(resp.Patch) != 0 || len(resp.Warnings) != 0 {
				t.Errorf("patch %q, warnings %q, want none", resp.Patch, resp.Warnings)
			}
		})
	}
}

func TestUpdate_ManifestIsSentAgain_StoredProjectionStays(t *testing.T) {
	objects := newStore(user(1, "a", "A", "~/a"), agent())
	req := review(t, plainPod)
	stored, _ := admit(t, handler(objects), req)
	req.Operation, req.OldObject.Raw = admissionv1.Update, stored
	// Neither what the tenant has by now matters, nor whether it can be known.
	objects.err = errors.New("the cache is not there")
	got, resp := admit(t, handler(objects), req)
	if diff := cmp.Diff(decode(t, stored), decode(t, got)); diff != "" || len(resp.Patch) == 0 {
		t.Errorf("the pod (-stored +admitted):\n%s", diff)
	}
	if len(resp.Warnings) != 0 {
		t.Errorf("warnings %q, want none: they were given when it was created", resp.Warnings)
	}
}

func TestAPodOfANamespaceThatIsNotServedIsAllowed(t *testing.T) {
	objects := newStore()
	objects.err = caches.ErrNotServed
	_, resp := admit(t, handler(objects), review(t, plainPod))
	if len(resp.Patch) != 0 || len(resp.Warnings) != 1 || !strings.Contains(resp.Warnings[0], "--tenant-namespaces") {
		t.Errorf("patch %q, warnings %q, want a warning of what to do", resp.Patch, resp.Warnings)
	}
}

func TestRefusals(t *testing.T) {
	const canary = "canary-7c1e"
	broken := review(t, plainPod)
	broken.Object.Raw = []byte(`{"spec":{"containers":[{"name":"app","env":[{"name":"X","value":["` + canary + `"]}]}]}}`)
	update := review(t, plainPod)
	update.Operation, update.OldObject = admissionv1.Update, broken.Object
	unread := newStore()
	unread.err = errors.New("the cache is not there")
	for name, tc := range map[string]struct {
		handler  *pod.Handler
		request  admission.Request
		wantCode int32
	}{
		"a pod that cannot be read":        {handler(newStore()), broken, http.StatusBadRequest},
		"a stored pod that cannot be read": {handler(newStore()), update, http.StatusBadRequest},
		"a cache that cannot be asked":     {handler(unread), review(t, plainPod), http.StatusServiceUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			resp := tc.handler.Handle(context.Background(), tc.request)
			if resp.Allowed || resp.Result.Code != tc.wantCode {
				t.Errorf("allowed = %t, result %v, want code %d", resp.Allowed, resp.Result, tc.wantCode)
			}
			text, err := json.Marshal(resp)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(text), canary) {
				t.Errorf("the answer quotes the pod: %s", text)
			}
		})
	}
}
