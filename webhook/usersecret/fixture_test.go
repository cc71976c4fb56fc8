// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package usersecret

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	jsonpatch "github.com/evanphx/json-patch/v5"
	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/digest"
	"github.com/latchkey-dev/latchkey/internal/keyring"
	"github.com/latchkey-dev/latchkey/internal/policy/limits"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

// canary is in every value, and in no answer.
const canary = "canary-e2c4"

var (
	approvals, _ = digest.NewKey(bytes.Repeat([]byte{7}, digest.KeyLen))

	now    = time.Date(2026, 1, 2, 3, 4, 5, 6789, time.UTC)
	object = seal.Context{Kind: "UserSecret", Namespace: "alice", Name: "a"}
)

// tenant stands for the cache.
type tenant struct {
	client.Reader
	items []v1alpha1.UserSecret
	err   error
}

func (r tenant) List(_ context.Context, list client.ObjectList, opts ...client.ListOption) error {
	o := (&client.ListOptions{}).ApplyOptions(opts)
	l, ok := list.(*v1alpha1.UserSecretList)
	if !ok || o.Namespace != "alice" {
		return fmt.Errorf("%T of namespace %q is not expected", list, o.Namespace)
	}
	l.Items = r.items
	return r.err
}

// access answers what the author may do, all but what denied names, and notes what was
// asked.
type access struct {
	allowed bool
	denied  string
	err     error
	asked   []string
}

func (a *access) May(_ context.Context, req admission.Request, do authorizationv1.ResourceAttributes) (bool, error) {
	if do.Verb != "get" || do.Resource != "secrets" || do.Group != "" {
		return false, fmt.Errorf("%+v is not expected", do)
	}
	a.asked = append(a.asked, req.UserInfo.Username+" "+req.Namespace+"/"+do.Name)
	return a.allowed && do.Name != a.denied, a.err
}

// fixture is a handler and the sealed texts that requests name.
type fixture struct {
	handler *Handler
	access  *access
	ring    *keyring.Ring
	// texts are sealed values by what requests call them, such as $old.
	texts map[string]string
}

func newFixture(t *testing.T, others ...v1alpha1.UserSecret) *fixture {
	t.Helper()
	var keys []keyring.Key
	for i := range 3 {
		key, err := keyring.NewKey(now.Add(time.Duration(i) * time.Hour))
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
	a := &access{allowed: true}
	return &fixture{
		ring: ring, access: a,
		handler: &Handler{
			Reader: tenant{items: others}, Access: a, Keyring: ring, Limits: limits.DefaultUser(), Now: func() time.Time { return now },
			DigestKey: func() (digest.Key, error) { return approvals, nil },
		},
		texts: map[string]string{
			"$older":   text(keys[0], object, canary),
			"$newer":   text(keys[1], object, canary),
			"$other":   text(keys[1], object, canary+"-other"),
			"$null":    text(keys[1], object, canary+"\x00"),
			"$copied":  text(keys[1], seal.Context{Kind: "UserSecret", Namespace: "bob", Name: "a"}, canary),
			"$foreign": text(keys[2], object, canary),
		},
	}
}

// other returns another object of the tenant.
func other(name, env, file string, size int) v1alpha1.UserSecret {
	text := "lk1.0123456789abcdef." + strings.Repeat("A", ((seal.Overhead+size)*8+5)/6)
	return v1alpha1.UserSecret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "alice", Name: name},
		Spec:       v1alpha1.UserSecretSpec{EnvName: env, FilePath: file, SealedValue: text},
	}
}

func (f *fixture) expand(text string) string {
	for name, sealed := range f.texts {
		text = strings.ReplaceAll(text, name, sealed)
	}
	return text
}

// request is what somebody sends.
type request struct {
	// spec is the spec, as JSON, and old the stored one; "" creates.
	spec, old string
	// metadata is metadata, as JSON, of both; by default it is that of object.
	metadata string
}

// handle sends a request and returns the answer. It fails where the answer shows a
// value.
func (f *fixture) handle(t *testing.T, r request) admission.Response {
	t.Helper()
	if r.metadata == "" {
		r.metadata = `{"name":"a","namespace":"alice"}`
	}
	whole := func(spec string) []byte {
		return []byte(f.expand(`{"metadata":` + r.metadata + `,"spec":` + spec + `}`))
	}
	req := admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
		Operation: admissionv1.Create, Namespace: "alice", UserInfo: authenticationv1.UserInfo{Username: "mallory"},
	}}
	req.Object.Raw = whole(r.spec)
	if r.old != "" {
		req.Operation, req.OldObject.Raw = admissionv1.Update, whole(r.old)
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

// after returns what the API server stores of a request, with the sealed texts by
// their names, and new ones as sealed(value).
func (f *fixture) after(t *testing.T, r request, resp admission.Response) map[string]any {
	t.Helper()
	if r.metadata == "" {
		r.metadata = `{"name":"a","namespace":"alice"}`
	}
	raw, err := json.Marshal(resp.Patches)
	if err != nil {
		t.Fatal(err)
	}
	patch, err := jsonpatch.DecodePatch(raw)
	if err != nil {
		t.Fatal(err)
	}
	stored := []byte(f.expand(`{"metadata":` + r.metadata + `,"spec":` + r.spec + `}`))
	if len(resp.Patches) > 0 {
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
		out.Spec["sealedValue"] = f.called(t, text)
	}
	for key, value := range out.Metadata.Annotations {
		if key == v1alpha1.AnnotationSourceApproval {
			key, value = "approved", true // what it says is package approval's
		}
		out.Spec[key] = value // one map says it all
	}
	return out.Spec
}

func (f *fixture) called(t *testing.T, text string) string {
	t.Helper()
	for name, sealed := range f.texts {
		if sealed == text {
			return name
		}
	}
	value, err := f.ring.Open(t.Context(), object, text)
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

var errCache = errors.New("the cache has not synced")
