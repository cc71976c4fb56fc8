// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package sealing

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// manager returns an entry of managedFields, of a time and a set of fields.
func manager(name, second, fields string) string {
	return fmt.Sprintf(`{"manager":%q,"operation":"Update","apiVersion":"latchkey.dev/v1alpha1","time":"2026-01-02T03:04:%sZ","fieldsType":"FieldsV1","fieldsV1":%s}`,
		name, second, fields)
}

// managed returns an object of a spec and managers.
func managed(spec, managers string) string {
	if managers == "" {
		return `{"metadata":{"name":"a"},"spec":` + spec + `}`
	}
	return `{"metadata":{"name":"a","managedFields":[` + managers + `]},"spec":` + spec + `}`
}

func TestManagers(t *testing.T) {
	const (
		plain   = `{"f:spec":{"f:envName":{}}}`
		valued  = `{"f:spec":{"f:envName":{},"f:value":{"f:` + canary + `":{}}}}`
		onlyVal = `{"f:spec":{"f:value":{}}}`
		reseal  = `{"f:spec":{"f:sealedValue":{}}}`
		all     = `{"f:spec":{"f:envName":{},"f:path":{},"f:secretType":{"f:type":{}},"f:sealedValue":{},"f:revision":{}}}`
	)
	sealed := func(r *Review) { r.Remove("/spec/value") }
	for name, tt := range map[string]struct {
		old, obj string
		review   func(*Review)
		want     string // the managers after the patches, or "none"
		wantOps  int    // how many patches Managers adds
	}{
		"on creation, managers without the value stay": {
			obj: managed(`{"envName":"A"}`, manager("kubectl", "05", plain)), want: manager("kubectl", "05", plain),
		},
		"on creation, the value and its keys go": {
			obj: managed(`{"envName":"A","value":{}}`, manager("kubectl", "05", valued)), review: sealed,
			want: manager("kubectl", "05", plain), wantOps: 1,
		},
		"a manager of the value alone goes, and the others stay": {
			obj:    managed(`{"value":{}}`, manager("x", "05", onlyVal)+","+manager("y", "06", plain)),
			review: sealed, want: manager("y", "06", plain), wantOps: 1,
		},
		"a manager of the value alone may be the only one": {
			obj: managed(`{"value":{}}`, manager("x", "05", onlyVal)), review: sealed, want: manager("latchkey", "05", `{"f:spec":{".":{}}}`), wantOps: 1,
		},
		"an update that changes nothing keeps the stored managers and their time": {
			old: managed(`{"envName":"A"}`, manager("kubectl", "05", plain)),
			obj: managed(`{"envName":"A","value":"x"}`, manager("kubectl", "30", valued)), review: sealed,
			want: manager("kubectl", "05", plain), wantOps: 1,
		},
		"an update that changes something has its new time": {
			old: managed(`{"envName":"A"}`, manager("kubectl", "05", plain)),
			obj: managed(`{"envName":"B","value":"x"}`, manager("kubectl", "30", valued)), review: sealed,
			want: manager("kubectl", "30", plain), wantOps: 1,
		},
		"an update by another manager is a change": {
			old: managed(`{"envName":"A"}`, manager("kubectl", "05", plain)),
			obj: managed(`{"envName":"A","value":"x"}`, manager("kubectl", "05", plain)+","+manager("helm", "30", valued)), review: sealed,
			want: manager("kubectl", "05", plain) + "," + manager("helm", "30", plain), wantOps: 1,
		},
		"what admission rewrites is nobody's": {
			obj: managed(`{"envName":"A"}`, manager("kubectl", "05", all)), want: manager("kubectl", "05", plain), wantOps: 1,
		},
		"sealing a value again leaves the managers as they were": {
			old:  managed(`{"envName":"A","sealedValue":"x"}`, manager("kubectl", "05", plain)),
			obj:  managed(`{"envName":"A","sealedValue":"y"}`, manager("kubectl", "05", plain)+","+manager("latchkey", "30", reseal)),
			want: manager("kubectl", "05", plain), wantOps: 1,
		},
		"an update that changes nothing may come without managers": {
			old: managed(`{"envName":"A"}`, ""), obj: managed(`{"envName":"A","value":"x"}`, ""), review: sealed, want: "none",
		},
		"where the update is refused, nothing is changed": {
			obj: managed(`{"value":"x"}`, manager("kubectl", "05", valued)), want: manager("kubectl", "05", valued),
			review: func(r *Review) { r.Refuse("spec", CauseLimit, "x") },
		},
		"fields that cannot be read stay": {
			obj: managed(`{}`, manager("kubectl", "05", `"v2"`)), want: manager("kubectl", "05", `"v2"`),
		},
	} {
		t.Run(name, func(t *testing.T) {
			req := admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{Operation: admissionv1.Create}}
			req.Object.Raw = []byte(tt.obj)
			if tt.old != "" {
				req.Operation, req.OldObject.Raw = admissionv1.Update, []byte(tt.old)
			}
			r := &Review{}
			if tt.review != nil {
				tt.review(r)
			}
			before := len(r.patches)
			r.Managers(req)
			if got := len(r.patches) - before; got != tt.wantOps {
				t.Fatalf("%d patches, want %d: %v", got, tt.wantOps, r.patches)
			}
			if diff := cmp.Diff(entries(t, managed(`{}`, none(tt.want))), entries(t, patched(t, tt.obj, r))); diff != "" {
				t.Errorf("managers (-want +got):\n%s", diff)
			}
		})
	}
}

func none(managers string) string {
	if managers == "none" {
		return ""
	}
	return managers
}

// patched returns what the API server makes of an object and a review.
func patched(t *testing.T, object string, r *Review) string {
	t.Helper()
	raw, err := json.Marshal(r.patches)
	if err != nil {
		t.Fatal(err)
	}
	patch, err := jsonpatch.DecodePatch(raw)
	if err != nil {
		t.Fatal(err)
	}
	out, err := patch.Apply([]byte(object))
	if err != nil {
		t.Fatalf("the API server cannot apply %s: %v", raw, err)
	}
	return string(out)
}

func entries(t *testing.T, object string) []metav1.ManagedFieldsEntry {
	t.Helper()
	var o metav1.PartialObjectMetadata
	if err := json.Unmarshal([]byte(object), &o); err != nil {
		t.Fatal(err)
	}
	for i := range o.ManagedFields { // white space and the order of members do not matter
		var v any
		if err := json.Unmarshal(o.ManagedFields[i].FieldsV1.GetRawBytes(), &v); err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		o.ManagedFields[i].FieldsV1 = metav1.NewFieldsV1(string(raw))
	}
	return o.ManagedFields
}

func TestManagers_ManyEntries_CostGrowsWithTheirNumber(t *testing.T) {
	// Counted in allocations, which do not depend on what else the machine does: each
	// entry is read once, however many there are.
	cost := func(n int) float64 {
		entries := make([]string, n)
		for i := range entries {
			entries[i] = manager("kubectl", "05", fmt.Sprintf(`{"f:spec":{"f:a%d":{}}}`, i))
		}
		stored := managed(`{"envName":"A"}`, strings.Join(entries, ","))
		slices.Reverse(entries)
		req := admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{Operation: admissionv1.Update}}
		req.Object.Raw, req.OldObject.Raw = []byte(managed(`{"envName":"A"}`, strings.Join(entries, ","))), []byte(stored)
		return testing.AllocsPerRun(1, func() { (&Review{}).Managers(req) })
	}
	small, large := cost(100), cost(1600)
	if large > 24*small {
		t.Errorf("16 times the managers cost %.0f times as much, %.0f allocations", large/small, large)
	}
}
