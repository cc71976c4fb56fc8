// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package agentsecret

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	jsonpatch "github.com/evanphx/json-patch/v5"
	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/binding"
	"github.com/latchkey-dev/latchkey/internal/keyring"
	"github.com/latchkey-dev/latchkey/internal/policy/limits"
	"github.com/latchkey-dev/latchkey/internal/seal"
	"github.com/latchkey-dev/latchkey/webhook/sealing"
)

// canary is in every value, and in no answer.
const canary = "canary-b06d"

// self is the name under which Latchkey's own server writes.
const self = "system:serviceaccount:latchkey-system:latchkey-server"

// nobody is an author without a name.
const nobody = "nobody"

// object is what a value of a manifest is sealed for, unless its spec says otherwise.
var object = seal.Context{Kind: "AgentSecret", Namespace: "prod", Name: "a", Path: []string{"db"}, Type: `{"type":"Str"}`}

// elsewhere returns object with something changed.
func elsewhere(edit func(*seal.Context)) seal.Context {
	c := object
	edit(&c)
	return c
}

// tenant stands for the cache.
type tenant struct {
	client.Reader
	items []v1alpha1.AgentSecret
	err   error
}

func (r tenant) List(_ context.Context, list client.ObjectList, opts ...client.ListOption) error {
	o := (&client.ListOptions{}).ApplyOptions(opts)
	l, ok := list.(*v1alpha1.AgentSecretList)
	if !ok || o.Namespace != "prod" {
		return fmt.Errorf("%T of namespace %q is not expected", list, o.Namespace)
	}
	l.Items = r.items
	return r.err
}

// access lets readers read values, and notes what was asked.
type access struct {
	reader string
	asked  []string
}

func (a *access) May(_ context.Context, req admission.Request, do authorizationv1.ResourceAttributes) (bool, error) {
	a.asked = append(a.asked, strings.Join([]string{req.UserInfo.Username, do.Verb, do.Group, do.Resource, do.Subresource, do.Name}, " "))
	return req.UserInfo.Username == a.reader, nil
}

// fixture is a handler and the sealed texts that requests name.
type fixture struct {
	handler *Handler
	access  *access
	ring    *keyring.Ring
	// texts are sealed values by what requests call them, such as $older.
	texts map[string]string
}

func newFixture(t *testing.T, others ...v1alpha1.AgentSecret) *fixture {
	t.Helper()
	var keys []keyring.Key
	for i := range 3 {
		key, err := keyring.NewKey(time.Date(2026, 1, 2, 3+i, 0, 0, 0, time.UTC))
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	ring := keyring.NewRing(nil)
	ring.Learn(keys[:2])
	text := func(key keyring.Key, at seal.Context, value string) string {
		s, err := seal.Seal(key.Private.Public(), at, seal.ValueOf(value))
		if err != nil {
			t.Fatal(err)
		}
		return s.String()
	}
	const value = `"` + canary + `"`
	a := &access{}
	return &fixture{
		ring:    ring,
		access:  a,
		handler: &Handler{Reader: tenant{items: others}, Access: a, Keyring: ring, Limits: limits.DefaultAgent(), Latchkey: sealing.Latchkey{Server: self}},
		texts: map[string]string{
			"$older":   text(keys[0], object, value),
			"$again":   text(keys[0], object, value),
			"$newer":   text(keys[1], object, value),
			"$other":   text(keys[1], object, `"`+canary+`-other"`),
			"$number":  text(keys[1], object, "1234"),
			"$copied":  text(keys[1], elsewhere(func(c *seal.Context) { c.Namespace = "test" }), value),
			"$path":    text(keys[1], elsewhere(func(c *seal.Context) { c.Path = []string{"db", "password"} }), value),
			"$type":    text(keys[1], elsewhere(func(c *seal.Context) { c.Type = `{"cases":["x"],"type":"Enum"}` }), value),
			"$foreign": text(keys[2], object, value),
		},
	}
}

// other returns another object of the tenant; its name is its path.
func other(path string, size int, edits ...func(*v1alpha1.AgentSecretSpec)) v1alpha1.AgentSecret {
	a := v1alpha1.AgentSecret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: path},
		Spec: v1alpha1.AgentSecretSpec{
			Path: strings.Split(path, "."), SecretType: runtime.RawExtension{Raw: []byte(`{"type":"Str"}`)},
			SealedValue: "lk1.0123456789abcdef." + strings.Repeat("A", ((seal.Overhead+size)*8+5)/6),
		},
	}
	for _, edit := range edits {
		edit(&a.Spec)
	}
	return a
}

func (f *fixture) expand(text string) string {
	for name, sealed := range f.texts {
		text = strings.ReplaceAll(text, name, sealed)
	}
	return text
}

// manifest is what somebody sends. Path and type are db and Str unless the spec says
// otherwise.
type manifest struct {
	// spec are members of the spec, as JSON, and old those stored; "" creates.
	spec, old string
	// annotations are those of both, as JSON.
	annotations string
	// metadata replaces all of metadata, as JSON.
	metadata string
	// author is who sends it; by default somebody.
	author string
}

// object returns the whole object of a spec.
func (r manifest) object(spec string) string {
	metadata := `{"name":"a","namespace":"prod"}`
	if r.annotations != "" {
		metadata = `{"name":"a","namespace":"prod","annotations":` + r.annotations + `}`
	}
	if r.metadata != "" {
		metadata = r.metadata
	}
	for _, member := range []string{`"path":["db"]`, `"secretType":{"type":"Str"}`} {
		name, _, _ := strings.Cut(member, ":")
		if !strings.Contains(spec, name+":") {
			spec = strings.TrimSuffix(strings.TrimSuffix(spec, "}")+","+member, ",") + "}"
		}
	}
	return `{"metadata":` + metadata + `,"spec":` + strings.Replace(spec, "{,", "{", 1) + `}`
}

// handle sends a request and returns the answer. It fails where the answer shows a
// value.
func (f *fixture) handle(t *testing.T, r manifest) admission.Response {
	t.Helper()
	switch r.author {
	case "":
		r.author = "somebody"
	case nobody:
		r.author = ""
	}
	req := admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
		Operation: admissionv1.Create, Namespace: "prod", UserInfo: authenticationv1.UserInfo{Username: r.author},
	}}
	req.Object.Raw = []byte(f.expand(r.object(r.spec)))
	if r.old != "" {
		req.Operation, req.OldObject.Raw = admissionv1.Update, []byte(f.expand(r.object(r.old)))
	}
	resp := f.handler.Handle(t.Context(), req)
	raw, err := json.Marshal(resp)
	if err != nil {
		t.Fatal(err)
	}
	patches, err := json.Marshal(resp.Patches)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(raw)+string(patches), canary) {
		t.Errorf("the answer shows the value: %s %s", raw, patches)
	}
	return resp
}

// after returns what the API server stores of a request: spec and annotations, with
// the sealed texts by their names, and new ones as sealed(value).
func (f *fixture) after(t *testing.T, r manifest, resp admission.Response) map[string]any {
	t.Helper()
	stored := []byte(f.expand(r.object(r.spec)))
	if len(resp.Patches) > 0 {
		raw, err := json.Marshal(resp.Patches)
		if err != nil {
			t.Fatal(err)
		}
		patch, err := jsonpatch.DecodePatch(raw)
		if err != nil {
			t.Fatal(err)
		}
		if stored, err = patch.Apply(stored); err != nil {
			t.Fatalf("the API server cannot apply the patch: %v", err)
		}
	}
	var out struct {
		Metadata struct {
			Annotations map[string]any `json:"annotations"`
		} `json:"metadata"`
		Spec map[string]any `json:"spec"`
	}
	if err := json.Unmarshal(stored, &out); err != nil {
		t.Fatal(err)
	}
	if text, ok := out.Spec["sealedValue"].(string); ok {
		out.Spec["sealedValue"] = f.called(t, stored, text)
	}
	for key, value := range out.Metadata.Annotations {
		out.Spec[key] = value // one map says it all
	}
	return out.Spec
}

func (f *fixture) called(t *testing.T, object []byte, text string) string {
	t.Helper()
	for name, sealed := range f.texts {
		if sealed == text {
			return name
		}
	}
	a := &v1alpha1.AgentSecret{}
	if err := json.Unmarshal(object, a); err != nil {
		t.Fatal(err)
	}
	at, err := binding.OfAgent(a)
	if err != nil {
		t.Fatal(err)
	}
	value, err := f.ring.Open(t.Context(), at, text)
	if err != nil {
		t.Fatalf("what is to be stored does not open: %v", err)
	}
	return "sealed(" + string(value.Reveal()) + ")"
}

func causes(resp admission.Response) []metav1.StatusCause {
	if resp.Result == nil || resp.Result.Details == nil {
		return nil
	}
	return resp.Result.Details.Causes
}
