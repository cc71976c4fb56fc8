// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package pod_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/projector"
)

// TestPatchTouchesOnlyWhatIsAdded compares operations, not outcomes: what a patch does
// not name, it cannot spoil.
func TestPatchTouchesOnlyWhatIsAdded(t *testing.T) {
	const (
		first  = `{metadata: {name: p, creationTimestamp: null}, spec: {securityContext: {runAsUser: 0}, initContainers: [{name: init}], containers: [`
		theirs = `{name: app, envFrom: [{configMapRef: {name: c}}], volumeMounts: [{name: v, mountPath: /v}]}`
		last   = `], volumes: [{name: v, emptyDir: {}}]}, status: {}}`
	)
	for name, tc := range map[string]struct {
		manifest string
		want     []string
	}{
		"a pod with lists of its own": {
			manifest: first + theirs + last,
			want: []string{
				"add /spec/volumes/1",
				"add /spec/initContainers/0/envFrom",
				"add /spec/initContainers/0/volumeMounts",
				"add /spec/containers/0/envFrom/0",
				"add /spec/containers/0/volumeMounts/1",
			},
		},
		"what was there is replaced if it is not right any more": {
			manifest: first + `{name: app,
				envFrom: [{secretRef: {name: latchkey-agent-env, optional: true}}, {configMapRef: {name: c}}],
				volumeMounts: [{name: latchkey-user, mountPath: /old}, {name: v, mountPath: /v}]}
				], volumes: [{name: latchkey-user, secret: {secretName: latchkey-user-files, optional: true}}]}}`,
			want: []string{
				"remove /spec/volumes/0", "add /spec/volumes/0",
				"add /spec/initContainers/0/envFrom",
				"add /spec/initContainers/0/volumeMounts",
				"remove /spec/containers/0/envFrom/0", "add /spec/containers/0/envFrom/0",
				"remove /spec/containers/0/volumeMounts/0", "add /spec/containers/0/volumeMounts/0",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, resp := admit(t, handler(newStore(user(1, "a", "A", ""))), review(t, tc.manifest))
			var ops []struct{ Op, Path string }
			if err := json.Unmarshal(resp.Patch, &ops); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, op := range ops {
				got = append(got, op.Op+" "+op.Path)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("operations (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFieldsOfANewerAPIStay(t *testing.T) {
	req := review(t, `{metadata: {name: p, future: 1}, spec: {future: 2, containers: [{name: app, future: 3,
		envFrom: [{configMapRef: {name: c}, future: 4}], volumeMounts: [{name: v, mountPath: /v, future: 5}]}],
		volumes: [{name: v, emptyDir: {}, future: 6}]}}`)
	raw, resp := admit(t, handler(newStore(user(1, "a", "A", "~/a"))), req)
	if len(resp.Patch) == 0 {
		t.Fatal("nothing was projected")
	}
	if got := strings.Count(string(raw), `"future":`); got != 6 {
		t.Errorf("%d of 6 unknown fields are left: %s", got, raw)
	}
}

// TestPatchedPodIsTheProjectedPod compares the API server's view with the projector's, for pods that have been
// projected with other contents before, while other webhooks added to them.
func TestPatchedPodIsTheProjectedPod(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	manifest := `{metadata: {name: p}, spec: {initContainers: [{name: i}], containers: [
		{name: a, envFrom: [{configMapRef: {name: c}}, {secretRef: {name: s}}], volumeMounts: [{name: v, mountPath: /v}, {name: v, mountPath: /w}]},
		{name: b}], volumes: [{name: v, emptyDir: {}}, {name: w, emptyDir: {}}]}}`
	for round := range 50 {
		req := review(t, manifest)
		for step := range 4 {
			before := decode(t, req.Object.Raw)
			if random.IntN(2) == 0 {
				name := fmt.Sprintf("other-%d", step)
				before.Spec.Volumes = append(before.Spec.Volumes, corev1.Volume{Name: name})
				c := &before.Spec.Containers[random.IntN(2)]
				c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: name, MountPath: "/" + name})
			}
			var err error
			if req.Object.Raw, err = json.Marshal(before); err != nil {
				t.Fatal(err)
			}
			stored, content := randomContent(random)
			if req.Object.Raw, _ = admit(t, handler(stored), req); len(req.Object.Raw) == 0 {
				t.Fatal("no pod")
			}
			want := projector.Project(before, content, projector.Options{}).Pod
			if got := decode(t, req.Object.Raw); !equality.Semantic.DeepEqual(want, got) {
				t.Fatalf("round %d, step %d (-want +got):\n%s", round, step, cmp.Diff(want, got))
			}
		}
	}
}

// randomContent returns secrets, and what the bundles hold then.
func randomContent(random *rand.Rand) (*store, projector.Content) {
	s, c := newStore(), projector.Content{}
	for i, path := range []string{"~/a", "~/b", "/srv/c", "/v/d", "~/e", "/root/a"} {
		if random.IntN(2) == 0 {
			name := fmt.Sprintf("s%d", i)
			s.add(user(i+1, name, "", path))
			c.UserEnv, c.UserFiles = v1alpha1.BundleUserEnv, v1alpha1.BundleUserFiles
			c.Files = append(c.Files, projector.File{Key: name, Path: path})
		}
	}
	if random.IntN(2) == 0 {
		s.add(agent())
		c.AgentEnv, c.AgentFiles = v1alpha1.BundleAgentEnv, v1alpha1.BundleAgentFiles
	}
	return s, c
}
