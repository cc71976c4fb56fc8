// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package pod_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
	"sigs.k8s.io/yaml"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/policy/limits"
	"github.com/latchkey-dev/latchkey/webhook/pod"
)

const tenant = "alice"

// store is what a cache does for the handler: it finds objects by namespace and
// shares them. It refuses a read that would copy them.
type store struct {
	objects map[schema.GroupVersionKind]map[string][]runtime.Object
	err     error
}

func newStore(objects ...client.Object) *store {
	s := &store{objects: map[schema.GroupVersionKind]map[string][]runtime.Object{}}
	for _, o := range objects {
		s.add(o)
	}
	return s
}

func (s *store) add(o client.Object) {
	kind, at := kindOf(o), o.GetNamespace()
	if s.objects[kind] == nil {
		s.objects[kind] = map[string][]runtime.Object{}
	}
	s.objects[kind][at] = append(s.objects[kind][at], o)
}

func kindOf(o runtime.Object) schema.GroupVersionKind {
	switch o.(type) {
	case *v1alpha1.UserSecret, *v1alpha1.UserSecretList:
		return v1alpha1.GroupVersion.WithKind("UserSecret")
	case *v1alpha1.AgentSecret, *v1alpha1.AgentSecretList:
		return v1alpha1.GroupVersion.WithKind("AgentSecret")
	default:
		return o.GetObjectKind().GroupVersionKind()
	}
}

func (s *store) List(_ context.Context, list client.ObjectList, opts ...client.ListOption) error {
	var o client.ListOptions
	o.ApplyOptions(opts)
	if o.UnsafeDisableDeepCopy == nil || !*o.UnsafeDisableDeepCopy {
		return errors.New("a list with deep copies")
	}
	if o.Namespace == "" {
		return errors.New("a list of the whole cluster")
	}
	if s.err != nil {
		return s.err
	}
	return apimeta.SetList(list, s.objects[kindOf(list)][o.Namespace])
}

func (s *store) Get(_ context.Context, key client.ObjectKey, obj client.Object, _ ...client.GetOption) error {
	for _, o := range s.objects[kindOf(obj)][key.Namespace] {
		if found, ok := o.(*metav1.PartialObjectMetadata); ok && found.Name == key.Name {
			*obj.(*metav1.PartialObjectMetadata) = *found
			return nil
		}
	}
	return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
}

func namespace(labels map[string]string) *metav1.PartialObjectMetadata {
	return &metav1.PartialObjectMetadata{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
		ObjectMeta: metav1.ObjectMeta{Name: tenant, Labels: labels},
	}
}

// user makes a UserSecret that was stored at a revision.
func user(revision int, name, env, file string, change ...func(*v1alpha1.UserSecret)) *v1alpha1.UserSecret {
	u := &v1alpha1.UserSecret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: tenant, Name: name, UID: types.UID(name), ResourceVersion: strconv.Itoa(revision),
		},
		Spec: v1alpha1.UserSecretSpec{Name: name, EnvName: env, FilePath: file, SealedValue: "lk1.0123456789abcdef.x"},
	}
	for _, c := range change {
		c(u)
	}
	return u
}

func agent(change ...func(*v1alpha1.AgentSecret)) *v1alpha1.AgentSecret {
	a := &v1alpha1.AgentSecret{
		ObjectMeta: metav1.ObjectMeta{Namespace: tenant, Name: "db", UID: "db", ResourceVersion: "1"},
		Spec:       v1alpha1.AgentSecretSpec{Path: []string{"db"}, SecretType: runtime.RawExtension{Raw: []byte(`{"type":"Str"}`)}},
	}
	for _, c := range change {
		c(a)
	}
	return a
}

func handler(s client.Reader) *pod.Handler {
	return &pod.Handler{Reader: s, Limits: limits.DefaultUser(), Approved: func(u *v1alpha1.UserSecret) bool {
		return u.Annotations[v1alpha1.AnnotationSourceApproval] == "yes"
	}}
}

// review is the request to create the pod of a manifest.
func review(t testing.TB, manifest string) admission.Request {
	t.Helper()
	raw, err := yaml.YAMLToJSON([]byte(manifest))
	if err != nil {
		t.Fatal(err)
	}
	return admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
		UID: "1", Operation: admissionv1.Create, Namespace: tenant,
		Kind:   metav1.GroupVersionKind{Version: "v1", Kind: "Pod"},
		Object: runtime.RawExtension{Raw: raw},
	}}
}

// admit applies the answer to the pod as the API server does.
func admit(t testing.TB, h *pod.Handler, req admission.Request) (raw []byte, resp admission.Response) {
	t.Helper()
	resp = h.Handle(context.Background(), req)
	if !resp.Allowed {
		t.Fatalf("refused: %v", resp.Result)
	}
	if len(resp.Patch) == 0 {
		return req.Object.Raw, resp
	}
	if resp.PatchType == nil || *resp.PatchType != admissionv1.PatchTypeJSONPatch {
		t.Fatalf("a patch of type %v", resp.PatchType)
	}
	patch, err := jsonpatch.DecodePatch(resp.Patch)
	if err != nil {
		t.Fatal(err)
	}
	raw, err = patch.Apply(req.Object.Raw)
	if err != nil {
		t.Fatalf("patch does not apply: %v\n%s\n%s", err, resp.Patch, req.Object.Raw)
	}
	return raw, resp
}

func decode(t testing.TB, raw []byte) *corev1.Pod {
	t.Helper()
	p := &corev1.Pod{}
	if err := json.Unmarshal(raw, p); err != nil {
		t.Fatal(err)
	}
	return p
}

// mounts lists what the first container mounts, as "volume/key at path".
func mounts(p *corev1.Pod) []string {
	var out []string
	for _, m := range p.Spec.Containers[0].VolumeMounts {
		out = append(out, fmt.Sprintf("%s/%s at %s", m.Name, m.SubPath, m.MountPath))
	}
	return out
}
