// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package pod_test

import (
	"encoding/json"
	"fmt"
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

// FuzzPatchedPodIsTheProjectedPod compares the API server's view with the projector's, over a chain of admissions of
// one pod. Each byte is an admission: what the tenant has then, and whether another webhook added to the pod before.
func FuzzPatchedPodIsTheProjectedPod(f *testing.F) {
	for _, steps := range []string{"\x00\x3f\x40\x7f", "\x7f\x55\x2a\x00", "\xff\x81\xfe\x87", "\xbf\xc0\x95\xea", "\x3f\x1f\x0f\x07\x03\x01\x00\x80"} {
		f.Add([]byte(steps))
	}
	f.Fuzz(func(t *testing.T, steps []byte) {
		req := review(t, `{metadata: {name: p}, spec: {initContainers: [{name: i}], containers: [
			{name: a, envFrom: [{configMapRef: {name: c}}, {secretRef: {name: s}}], volumeMounts: [{name: v, mountPath: /mnt}, {name: v, mountPath: /w}]},
			{name: b}], volumes: [{name: v, emptyDir: {}}, {name: w, emptyDir: {}}]}}`)
		for i, step := range steps[:min(len(steps), 8)] {
			before := decode(t, req.Object.Raw)
			if step&0x80 != 0 {
				name := fmt.Sprintf("other-%d", i)
				before.Spec.Volumes = append(before.Spec.Volumes, corev1.Volume{Name: name})
				c := &before.Spec.Containers[i%2]
				c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: name, MountPath: "/" + name})
			}
			var err error
			if req.Object.Raw, err = json.Marshal(before); err != nil {
				t.Fatal(err)
			}
			stored, content := contentOf(step)
			req.Object.Raw, _ = admit(t, handler(stored), req)
			want := projector.Project(before, content, projector.Options{}).Pod
			if got := decode(t, req.Object.Raw); !equality.Semantic.DeepEqual(want, got) {
				t.Fatalf("step %d of %x (-want +got):\n%s", i, steps, cmp.Diff(want, got))
			}
		}
	})
}

// contentOf returns secrets, one for each bit, and what the bundles hold then.
func contentOf(bits byte) (*store, projector.Content) {
	s, c := newStore(), projector.Content{}
	for i, path := range []string{"~/a", "~/b", "/srv/c", "/mnt/d", "~/e", "/root/a"} {
		if bits>>i&1 == 1 {
			name := fmt.Sprintf("s%d", i)
			s.add(user(i+1, name, "", path))
			c.UserEnv, c.UserFiles = v1alpha1.BundleUserEnv, v1alpha1.BundleUserFiles
			c.Files = append(c.Files, projector.File{Key: name, Path: path})
		}
	}
	if bits&0x40 != 0 {
		s.add(agent())
		c.AgentEnv, c.AgentFiles = v1alpha1.BundleAgentEnv, v1alpha1.BundleAgentFiles
	}
	return s, c
}
