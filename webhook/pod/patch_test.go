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
	"k8s.io/apimachinery/pkg/api/equality"

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
			var got []string
			for _, op := range resp.Patches {
				got = append(got, op.Operation+" "+op.Path)
			}
			// A volume that is right but for its mode is replaced in place.
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
	if len(resp.Patches) == 0 {
		t.Fatal("nothing was projected")
	}
	if got := strings.Count(string(raw), `"future":`); got != 6 {
		t.Errorf("%d of 6 unknown fields are left: %s", got, raw)
	}
}

// TestPatchedPodIsTheProjectedPod compares the API server's view with the projector's, for pods that have been
// projected with other contents before.
func TestPatchedPodIsTheProjectedPod(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	paths := []string{"~/a", "~/b", "/srv/c", "/v/d", "~/e", "/root/a"}
	content := func() *store {
		s := newStore()
		for i, p := range paths {
			if random.IntN(2) == 0 {
				s.add(user(i+1, fmt.Sprintf("s%d", i), "", p))
			}
		}
		if random.IntN(2) == 0 {
			s.add(agent())
		}
		return s
	}
	for round := range 60 {
		req := review(t, `{metadata: {name: p}, spec: {initContainers: [{name: i}], containers: [
			{name: a, envFrom: [{configMapRef: {name: c}}, {secretRef: {name: s}}], volumeMounts: [{name: v, mountPath: /v}, {name: v, mountPath: /w}]},
			{name: b}], volumes: [{name: v, emptyDir: {}}, {name: w, emptyDir: {}}]}}`)
		first, _ := admit(t, handler(content()), req)
		// Another webhook adds to the lists in between.
		between := decode(t, first)
		between.Spec.Volumes = append(between.Spec.Volumes, decode(t, req.Object.Raw).Spec.Volumes[1])
		between.Spec.Volumes[len(between.Spec.Volumes)-1].Name = "x"
		var err error
		if req.Object.Raw, err = json.Marshal(between); err != nil {
			t.Fatal(err)
		}
		second, _ := admit(t, handler(content()), req)
		got, want := projector.Unproject(decode(t, second)), projector.Unproject(between)
		if !equality.Semantic.DeepEqual(want, got) {
			t.Fatalf("round %d: the pod's own part changed:\n%s", round, cmp.Diff(want, got))
		}
		req.Object.Raw = second
		// Whatever came before, asking twice changes nothing.
		s := content()
		third, _ := admit(t, handler(s), req)
		req.Object.Raw = third
		if _, resp := admit(t, handler(s), req); len(resp.Patches) > 0 {
			t.Fatalf("round %d: a second look changes the pod: %v", round, resp.Patches)
		}
	}
}
