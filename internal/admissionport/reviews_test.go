// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package admissionport_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/admissionport"
	"github.com/latchkey-dev/latchkey/internal/binding"
	"github.com/latchkey-dev/latchkey/internal/keyring"
	"github.com/latchkey-dev/latchkey/internal/policy/limits"
	"github.com/latchkey-dev/latchkey/internal/seal"
	"github.com/latchkey-dev/latchkey/internal/typedvalue"
	"github.com/latchkey-dev/latchkey/webhook/agentsecret"
	"github.com/latchkey-dev/latchkey/webhook/pod"
	"github.com/latchkey-dev/latchkey/webhook/usersecret"
)

// tenant stands for the caches: a user with a file.
type tenant struct{ client.Reader }

func (tenant) Get(_ context.Context, _ client.ObjectKey, obj client.Object, _ ...client.GetOption) error {
	obj.SetLabels(map[string]string{v1alpha1.LabelUser: "alice", v1alpha1.LabelEnvironment: "alice"})
	return nil
}

func (tenant) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	if users, ok := list.(*v1alpha1.UserSecretList); ok {
		users.Items = []v1alpha1.UserSecret{{
			ObjectMeta: metav1.ObjectMeta{Namespace: "alice", Name: "other", UID: "other", ResourceVersion: "1"},
			Spec:       v1alpha1.UserSecretSpec{Name: "other", EnvName: "OTHER", FilePath: "~/other", SealedValue: "lk1.0123456789abcdef.x"},
		}}
	}
	return nil
}

// everybody may do everything.
type everybody struct{}

func (everybody) May(context.Context, admission.Request, authorizationv1.ResourceAttributes) (bool, error) {
	return true, nil
}

// port is the admission port as the API server finds it.
type port struct {
	http.Handler
	hooks   map[string]http.Handler
	segment seal.Value
	ring    *keyring.Ring
}

func newPort(tb testing.TB) *port {
	tb.Helper()
	key, err := keyring.NewKey(time.Unix(1_700_000_000, 0))
	if err != nil {
		tb.Fatal(err)
	}
	ring := keyring.NewRing(nil)
	ring.Learn([]keyring.Key{key})
	p := &port{hooks: map[string]http.Handler{}, segment: admissionport.NewSegment(), ring: ring}
	for where, handler := range map[string]admission.Handler{
		admissionport.UserSecretHook: &usersecret.Handler{
			Reader: tenant{}, Access: everybody{}, Keyring: ring, Limits: limits.DefaultUser(), Now: time.Now,
		},
		admissionport.AgentSecretHook: &agentsecret.Handler{Reader: tenant{}, Access: everybody{}, Keyring: ring, Limits: limits.DefaultAgent()},
		admissionport.PodHook:         &pod.Handler{Reader: tenant{}, Limits: limits.DefaultUser()},
	} {
		p.hooks[where] = &admission.Webhook{Handler: handler}
	}
	p.Handler = admissionport.NewGuard(admissionport.Knowing(p.segment), p.hooks)
	return p
}

// seal seals a value for object a of namespace alice, whose path is a and whose type is
// a text where it is an AgentSecret.
func (p *port) seal(tb testing.TB, kind, value string) string {
	tb.Helper()
	at := binding.User("alice", "a")
	if kind == "AgentSecret" {
		text, err := typedvalue.ParseType([]byte(`{"type":"Str"}`))
		if err != nil {
			tb.Fatal(err)
		}
		if at, err = binding.Agent("alice", "a", []string{"a"}, text); err != nil {
			tb.Fatal(err)
		}
	}
	text, err := p.ring.Seal(at, seal.ValueOf(value))
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

// body returns a question about an object; old is nil where it is created.
func body(tb testing.TB, object, old []byte) []byte {
	tb.Helper()
	review := admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Request: &admissionv1.AdmissionRequest{
			UID: "1", Namespace: "alice", Name: "a", Operation: admissionv1.Create, Object: runtime.RawExtension{Raw: object},
		},
	}
	if old != nil {
		review.Request.Operation, review.Request.OldObject.Raw = admissionv1.Update, old
	}
	raw, err := json.Marshal(review)
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

// ask asks a hook.
func (p *port) ask(hook string, body []byte) *httptest.ResponseRecorder {
	return p.askOf(p, hook, body)
}

// askOf is ask of another handler than the port.
func (p *port) askOf(handler http.Handler, hook string, body []byte) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, admissionport.Path(p.segment, hook), bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w
}

// isPod reports whether a JSON text is a pod to the handler.
func isPod(raw []byte) bool { return json.Unmarshal(raw, &corev1.Pod{}) == nil }
