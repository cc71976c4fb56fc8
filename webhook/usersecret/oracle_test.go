// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package usersecret

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

func TestHandle_DryRunOfEqualValue_EchoesTheCiphertextToReadersAlone(t *testing.T) {
	const env, files = "mallory alice/latchkey-user-env", "mallory alice/latchkey-user-files"
	for name, tt := range map[string]struct {
		denied    string
		dryRun    bool
		wantSeal  bool
		wantAsked []string
	}{
		"of a reader":                      {"", true, false, []string{env, files}},
		"of who may read variables alone":  {"latchkey-user-files", true, true, []string{env, files}},
		"of who may read no bundle":        {"latchkey-user-env", true, true, []string{env}},
		"of anybody, where it is for real": {"latchkey-user-env", false, false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.access.denied = tt.denied
			req := admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
				Operation: admissionv1.Update, Namespace: "alice", UserInfo: authenticationv1.UserInfo{Username: "mallory"}, DryRun: &tt.dryRun,
			}}
			object := func(spec string) []byte {
				return []byte(f.expand(`{"metadata":{"name":"a","namespace":"alice"},"spec":` + spec + `}`))
			}
			req.Object.Raw = object(`{"name":"a","value":"` + canary + `","sealedValue":"$older"}`)
			req.OldObject.Raw = object(`{"name":"a","sealedValue":"$older"}`)
			resp := f.handler.Handle(t.Context(), req)
			if !resp.Allowed {
				t.Fatalf("refused: %+v", resp.Result)
			}
			sealed := false
			for _, p := range resp.Patches {
				sealed = sealed || p.Path == "/spec/sealedValue"
			}
			if sealed != tt.wantSeal {
				t.Errorf("it is sealed again: %t, want %t", sealed, tt.wantSeal)
			}
			if diff := cmp.Diff(tt.wantAsked, f.access.asked); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
		})
	}
}
