// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package sealing

import (
	"context"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

func TestNoting_OnlyWritesThatAreStored_AreNoted(t *testing.T) {
	yes, no := true, false
	for name, tc := range map[string]struct {
		resp   admission.Response
		dryRun *bool
		want   string
	}{
		"admitted":            {admission.Allowed(""), nil, "alice"},
		"admitted, for real":  {admission.Allowed(""), &no, "alice"},
		"admitted, a dry run": {admission.Allowed(""), &yes, ""},
		"refused":             {admission.Denied(""), nil, ""},
	} {
		noted := ""
		h := Noting(admission.HandlerFunc(func(context.Context, admission.Request) admission.Response { return tc.resp }),
			func(namespace string) { noted = namespace })
		h.Handle(t.Context(), admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{Namespace: "alice", DryRun: tc.dryRun}})
		if noted != tc.want {
			t.Errorf("%s: noted %q, want %q", name, noted, tc.want)
		}
	}
}
