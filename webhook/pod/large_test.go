// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package pod_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
)

// repeated returns n copies of an item, as a list in YAML.
func repeated(item string, n int) string {
	return "[" + strings.TrimSuffix(strings.Repeat(item+",", n), ",") + "]"
}

func TestHandle_PodWithoutMeasure_IsRefusedWithTheRemedy(t *testing.T) {
	const containers = `{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: %s}}`
	const mounts = `{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: app, image: i, volumeMounts: %s}]}}`
	const ours = `{name: latchkey-user, mountPath: /a}`
	for name, tt := range map[string]struct {
		manifest string
		allowed  bool
	}{
		"a few hundred containers":           {fmt.Sprintf(containers, repeated(`{name: app, image: i}`, 300)), true},
		"thousands of containers":            {fmt.Sprintf(containers, repeated(`{name: app, image: i}`, 5_000)), false},
		"thousands of the pod's own mounts":  {fmt.Sprintf(mounts, repeated(`{name: v, mountPath: /a}`, 12_000)), true},
		"some mounts of Latchkey's volumes":  {fmt.Sprintf(mounts, repeated(ours, 300)), true},
		"thousands of mounts of its volumes": {fmt.Sprintf(mounts, repeated(ours, 12_000)), false},
	} {
		t.Run(name, func(t *testing.T) {
			h := handler(newStore(namespace(map[string]string{v1alpha1.LabelUser: "alice"}), user(1, "a", "A", "/a")))
			resp := h.Handle(context.Background(), review(t, tt.manifest))
			if resp.Allowed != tt.allowed {
				t.Fatalf("allowed: %t, want %t: %v", resp.Allowed, tt.allowed, resp.Result)
			}
			if !tt.allowed && (len(resp.Patch) > 0 || resp.Result.Code != http.StatusUnprocessableEntity || !strings.Contains(resp.Result.Message, `latchkey.dev/inject: "false"`)) {
				t.Errorf("the refusal is %v", resp.Result)
			}
		})
	}
}

// TestHandle_MountsThatGo_CostGrowsWithTheirNumber counts in allocations, which do not
// depend on what else the machine does.
func TestHandle_MountsThatGo_CostGrowsWithTheirNumber(t *testing.T) {
	h := handler(newStore(namespace(map[string]string{v1alpha1.LabelUser: "alice"}), user(1, "a", "A", "/a")))
	cost := func(n int) float64 {
		// First what goes, then as much that stays: each that goes is looked for in what
		// stays.
		mounts := repeated(`{name: latchkey-user, mountPath: /a}`, n) + ", " + repeated(`{name: v, mountPath: /b, recursiveReadOnly: Disabled}`, n)
		req := review(t, `{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: app, image: i, volumeMounts: `+
			strings.ReplaceAll(mounts, "], [", ",")+`}]}}`)
		var resp admission.Response
		count := testing.AllocsPerRun(1, func() { resp = h.Handle(context.Background(), req) })
		if !resp.Allowed {
			t.Fatal(resp.Result)
		}
		return count
	}
	small, large := cost(200), cost(3200)
	if large > 24*small {
		t.Errorf("16 times the mounts cost %.0f times as much, %.0f allocations", large/small, large)
	}
}

// TestHandle_ManyContainersOfOneName_ShareNoMounts: the API server asks before it looks
// whether names are unique, and what a stored container has must not be multiplied.
func TestHandle_ManyContainersOfOneName_ShareNoMounts(t *testing.T) {
	const pod = `{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: %s}}`
	mounts := repeated(`{name: latchkey-user, mountPath: /a}`, 500)
	req := review(t, fmt.Sprintf(pod, repeated(`{name: app, image: i}`, 500)))
	req.Operation = admissionv1.Update
	req.OldObject = review(t, fmt.Sprintf(pod, `[{name: app, image: i, volumeMounts: `+mounts+`}]`)).Object
	resp := handler(newStore(namespace(nil))).Handle(context.Background(), req)
	if !resp.Allowed || len(resp.Patch) == 0 {
		t.Fatalf("nothing is kept: %v", resp.Result)
	}
	if most := 2 * (len(req.Object.Raw) + len(req.OldObject.Raw)); len(resp.Patch) > most {
		t.Errorf("the patch has %d bytes, of a question of %d", len(resp.Patch), most/2)
	}
}
