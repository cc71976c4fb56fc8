// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package agentsecret

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// send sends an update, as a dry run or for real.
func (f *fixture) send(t *testing.T, author string, dryRun bool, spec, old, metadata string) admission.Response {
	t.Helper()
	r := manifest{spec: spec, old: old, metadata: metadata}
	req := admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
		Operation: admissionv1.Update, Namespace: "prod", UserInfo: authenticationv1.UserInfo{Username: author}, DryRun: &dryRun,
	}}
	req.Object.Raw = []byte(f.expand(r.object(spec)))
	req.OldObject.Raw = []byte(f.expand(manifest{annotations: canonical}.object(old)))
	return f.handler.Handle(t.Context(), req)
}

const asked = " get latchkey.dev agentsecrets value a"

func TestHandle_DryRunOfEqualValue_EchoesTheCiphertextToReadersAlone(t *testing.T) {
	const old = `{"sealedValue":"$older","revision":3}`
	for name, tt := range map[string]struct {
		author, spec string
		dryRun       bool
		wantEcho     bool
		wantAsked    []string
	}{
		"a reader's value":               {"reader", `{"value":` + value + `,"sealedValue":"$older","revision":3}`, true, true, []string{"reader" + asked}},
		"a manager's value":              {"manager", `{"value":` + value + `,"sealedValue":"$older","revision":3}`, true, false, []string{"manager" + asked}},
		"a manager's value, for real":    {"manager", `{"value":` + value + `,"sealedValue":"$older","revision":3}`, false, true, nil},
		"a reader's sealed value":        {"reader", `{"sealedValue":"$again","revision":3}`, true, true, []string{"reader" + asked}},
		"a manager's sealed value":       {"manager", `{"sealedValue":"$again","revision":3}`, true, false, []string{"manager" + asked}},
		"what a manager leaves alone":    {"manager", `{"sealedValue":"$older","revision":3,"envName":"X"}`, true, true, nil},
		"another value is never echoed":  {"reader", `{"value":"other-value","revision":3}`, true, false, []string{"reader" + asked}},
		"another value of a manager too": {"manager", `{"value":"other-value","revision":3}`, true, false, []string{"manager" + asked}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.access.reader = "reader"
			resp := f.send(t, tt.author, tt.dryRun, tt.spec, old, `{"name":"a","namespace":"prod","annotations":`+canonical+`}`)
			if !resp.Allowed {
				t.Fatalf("refused: %+v", resp.Result)
			}
			got := f.after(t, manifest{spec: tt.spec}, resp)
			if echo := got["sealedValue"] == "$older"; echo != tt.wantEcho {
				t.Errorf("the stored ciphertext is echoed: %t, want %t", echo, tt.wantEcho)
			}
			if raised := got["revision"] != 3.0; raised == tt.wantEcho {
				t.Errorf("the revision is raised: %t, want the opposite of the echo", raised)
			}
			if diff := cmp.Diff(tt.wantAsked, f.access.asked); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
		})
	}
}

func TestHandle_StoredValueInANewText_IsFoundForReadersAlone(t *testing.T) {
	for name, tt := range map[string]struct {
		author, annotations string
		wantGone            bool
		wantAsked           []string
	}{
		"a reader's annotation":       {"reader", `{"latchkey.dev/canonical-path":"true","note":"it is ` + canary + `"}`, true, []string{"reader" + asked}},
		"a manager's annotation":      {"manager", `{"latchkey.dev/canonical-path":"true","note":"it is ` + canary + `"}`, false, []string{"manager" + asked}},
		"a manager's wrong one":       {"manager", `{"latchkey.dev/canonical-path":"true","note":"it is another"}`, false, []string{"manager" + asked}},
		"an annotation without words": {"manager", `{"latchkey.dev/canonical-path":"true","a":"b"}`, false, nil},
		"Latchkey's own":              {self, `{"latchkey.dev/canonical-path":"true","note":"it is another"}`, false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.access.reader = "reader"
			resp := f.send(t, tt.author, false, `{"sealedValue":"$older"}`, `{"sealedValue":"$older"}`, `{"name":"a","namespace":"prod","annotations":`+tt.annotations+`}`)
			patches, err := json.Marshal(resp.Patches)
			if err != nil || !resp.Allowed {
				t.Fatalf("refused: %v %+v", err, resp.Result)
			}
			if gone := string(patches) == `[{"op":"remove","path":"/metadata/annotations/note"}]`; gone != tt.wantGone {
				t.Errorf("patches %s, want the note gone: %t", patches, tt.wantGone)
			}
			if diff := cmp.Diff(tt.wantAsked, f.access.asked); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
		})
	}
}
