// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package admissionport_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/go-logr/logr"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/latchkey-dev/latchkey/internal/admissionport"
)

// canary is the secret of every question that is made below, and in no answer.
const canary = "canary7f3a"

// FuzzUserSecretReview asks about UserSecrets of any form.
func FuzzUserSecretReview(f *testing.F) {
	p := fuzzed(f)
	sealed := p.seal(f, "UserSecret", canary)
	f.Add([]byte(`{"metadata":{"name":"a","namespace":"alice"},"spec":{"envName":"A"}}`), []byte(nil), "")
	f.Add([]byte(`{"metadata":{"name":"a"},"spec":{"envName":"B","sealedValue":"lk1."}}`), []byte(`{"metadata":{"name":"a"},"spec":{"name":"a","envName":"A"}}`), "x")
	f.Add([]byte(`{"metadata":{"name":"a","annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{"}},"spec":{}}`), []byte(`{"metadata":{"deletionTimestamp":"2026-01-02T03:04:05Z"}}`), "\x00")
	f.Add([]byte(`{"metadata":{"generateName":"a"},"spec":{"filePath":"/etc/../x","name":7}}`), []byte(`[]`), "")
	f.Fuzz(func(t *testing.T, object, old []byte, before string) {
		object = with(t, object, "value", before+canary)
		p.check(t, admissionport.UserSecretHook, object, with(t, old, "sealedValue", sealed))
	})
}

// FuzzAgentSecretReview asks about AgentSecrets of any form.
func FuzzAgentSecretReview(f *testing.F) {
	p := fuzzed(f)
	sealed := p.seal(f, "AgentSecret", `"`+canary+`"`)
	f.Add([]byte(`{"metadata":{"name":"a","namespace":"alice"},"spec":{"path":["a"],"secretType":{"type":"Str"}}}`), []byte(nil), "", true)
	f.Add([]byte(`{"metadata":{"name":"a"},"spec":{"path":["A b"],"secretType":{"type":"Variant","cases":[{"name":"x"}]},"revision":3}}`),
		[]byte(`{"metadata":{"name":"a"},"spec":{"path":["a"],"secretType":{"type":"Str"}}}`), "x", false)
	f.Add([]byte(`{"metadata":{"name":"a"},"spec":{"path":["a",""],"secretType":{"type":"List","inner":{"type":"U8"}}}}`), []byte(`null`), "x", true)
	f.Add([]byte(`{"metadata":{"name":"a"},"spec":{"secretType":{"type":"Enum","cases":["x"]}}}`), []byte(`{"spec":7}`), "x", true)
	f.Fuzz(func(t *testing.T, object, old []byte, before string, text bool) {
		var value any = before + canary
		if !text {
			value = map[string]any{before + canary: nil} // the key of a variant is as secret
		}
		p.check(t, admissionport.AgentSecretHook, with(t, object, "value", value), with(t, old, "sealedValue", sealed))
	})
}

// FuzzPodReview asks about pods of any form.
func FuzzPodReview(f *testing.F) {
	p := fuzzed(f)
	f.Add([]byte(`{"metadata":{"name":"a"},"spec":{"initContainers":[{"name":"c","volumeMounts":[{"name":"v","mountPath":"/root/other"}]}]}}`))
	f.Add([]byte(`{"metadata":{"annotations":{"latchkey.dev/home":"x","latchkey.dev/inject":"true"}},"spec":{"volumes":[{"name":"latchkey-user"},{"name":"v","secret":{}}]}}`))
	f.Add([]byte(`{"spec":{"volumes":7}}`))
	f.Add([]byte(`{"spec":{"initContainers":[{"envFrom":[{"secretRef":{"name":"latchkey-user-env","optional":true}}]},null]}}`))
	f.Fuzz(func(t *testing.T, object []byte) {
		object = with(t, object, "containers", []any{
			map[string]any{"name": "c", "env": []any{map[string]any{"name": "HOME", "value": canary}, map[string]any{"name": "X", "value": canary}}},
		})
		// The API server asks about what it has read itself.
		if pod := (&corev1.Pod{}); json.Unmarshal(object, pod) == nil {
			var err error
			if object, err = json.Marshal(pod); err != nil {
				t.Skip(err)
			}
		}
		p.check(t, admissionport.PodHook, object, nil)
	})
}

func fuzzed(f *testing.F) *port {
	ctrl.SetLogger(logr.Discard())
	return newPort(f)
}

// with returns an object with a member of its spec. What is no object is returned as it
// is, and what has the canary somewhere else is not asked about.
func with(t *testing.T, object []byte, name string, value any) []byte {
	if bytes.Contains(object, []byte(canary)) {
		t.Skip()
	}
	var whole map[string]any
	decoder := json.NewDecoder(bytes.NewReader(object))
	decoder.UseNumber()
	if decoder.Decode(&whole) != nil || whole == nil {
		return object
	}
	if spec, ok := whole["spec"].(map[string]any); ok {
		spec[name] = value
	}
	raw, err := json.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// check asks a hook, and holds its answer to what every answer promises.
func (p *port) check(t *testing.T, hook string, object, old []byte) {
	if !json.Valid(object) || old != nil && !json.Valid(old) {
		// No question can hold it, but anyone who has the path can send it.
		if answer := p.ask(hook, object); strings.Contains(answer.Body.String(), `"patch"`) {
			t.Fatalf("what is no question is answered %s", answer.Body)
		}
		return
	}
	answer := p.ask(hook, body(t, object, old))
	if answer.Code != http.StatusOK {
		t.Fatalf("the answer is %d %s", answer.Code, answer.Body)
	}
	var review admissionv1.AdmissionReview
	if err := json.Unmarshal(answer.Body.Bytes(), &review); err != nil || review.Response == nil || review.Response.UID != "1" {
		t.Fatalf("the answer is none: %v %s", err, answer.Body)
	}
	response := review.Response
	if bytes.Contains(answer.Body.Bytes(), []byte(canary)) || bytes.Contains(response.Patch, []byte(canary)) {
		t.Fatalf("the answer has the secret: %s %s", answer.Body, response.Patch)
	}
	if !response.Allowed {
		if len(response.Patch) > 0 || response.Result == nil || response.Result.Message == "" {
			t.Fatalf("a refusal changes something, or does not say why: %s", answer.Body)
		}
		return
	}
	after := object
	if len(response.Patch) > 0 {
		after = apply(t, object, response.Patch)
	}
	if hook != admissionport.PodHook && bytes.Contains(after, []byte(canary)) && !goes(old) {
		t.Fatalf("the secret would be stored: %s", after)
	}
	if hook == admissionport.PodHook && !isPod(after) {
		t.Fatalf("what is left is no pod: %s", after)
	}
}

func apply(t *testing.T, object, patch []byte) []byte {
	ops, err := jsonpatch.DecodePatch(patch)
	if err != nil {
		t.Fatal(err)
	}
	after, err := ops.Apply(object)
	if err != nil {
		t.Fatalf("the API server cannot apply %s: %v", patch, err)
	}
	return after
}

// goes reports whether the stored object is being deleted: admission leaves such a one
// alone, and the CRD refuses a value.
func goes(old []byte) bool {
	var object struct {
		Metadata struct {
			DeletionTimestamp any `json:"deletionTimestamp"`
		} `json:"metadata"`
	}
	return json.Unmarshal(old, &object) == nil && object.Metadata.DeletionTimestamp != nil
}
