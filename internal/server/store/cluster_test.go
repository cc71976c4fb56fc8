// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	jsonpatch "github.com/evanphx/json-patch/v5"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

var group = schema.GroupResource{Group: "latchkey.dev", Resource: "secrets"}

// apiServer keeps objects as an API server does: every write has a version, in one
// order, and the past can be listed. What it has no answer for panics.
type apiServer struct {
	client.WithWatch

	mu      sync.Mutex
	written *sync.Cond
	closed  bool
	// stopped says that no watch brings anything.
	stopped bool
	objects map[string]client.Object
	log     []change
	// refuse may refuse a write, as admission or a broken network does.
	refuse func(verb string, obj client.Object) error
	// read, if set, is told of every object that was read.
	read func()
}

// change is one write; its version is its place in the log, from 1.
type change struct {
	key     string
	object  client.Object
	deleted bool
}

func newAPIServer() *apiServer {
	s := &apiServer{objects: map[string]client.Object{}}
	s.written = sync.NewCond(&s.mu)
	return s
}

func keyOf(obj client.Object) string {
	return fmt.Sprintf("%T/%s/%s", obj, obj.GetNamespace(), obj.GetName())
}

func copyOf(obj client.Object) client.Object {
	c, ok := obj.DeepCopyObject().(client.Object)
	if !ok {
		panic("a copy is no object")
	}
	return c
}

// put stores obj and sets its version. The caller holds mu.
func (s *apiServer) put(obj client.Object, deleted bool) {
	obj.SetResourceVersion(fmt.Sprint(len(s.log) + 1))
	stored := copyOf(obj)
	s.log = append(s.log, change{keyOf(obj), stored, deleted})
	if s.objects[keyOf(obj)] = stored; deleted {
		delete(s.objects, keyOf(obj))
	}
	s.written.Broadcast()
}

// begin returns the stored object of obj's name, if the write is not refused.
func (s *apiServer) begin(verb string, obj client.Object) (client.Object, error) {
	if s.refuse != nil {
		if err := s.refuse(verb, obj); err != nil {
			return nil, err
		}
	}
	return s.objects[keyOf(obj)], nil
}

func (s *apiServer) Create(ctx context.Context, obj client.Object, _ ...client.CreateOption) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	stored, err := s.begin("create", obj)
	if err != nil || ctx.Err() != nil {
		return errors.Join(err, ctx.Err())
	}
	if stored != nil {
		return apierrors.NewAlreadyExists(group, obj.GetName())
	}
	obj.SetUID(types.UID(fmt.Sprint("uid-", len(s.log))))
	obj.SetCreationTimestamp(metav1.NewTime(epoch))
	s.put(obj, false)
	return nil
}

func (s *apiServer) Update(_ context.Context, obj client.Object, _ ...client.UpdateOption) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	stored, err := s.begin("update", obj)
	switch {
	case err != nil:
		return err
	case stored == nil:
		return apierrors.NewNotFound(group, obj.GetName())
	case stored.GetResourceVersion() != obj.GetResourceVersion() || stored.GetUID() != obj.GetUID():
		return apierrors.NewConflict(group, obj.GetName(), errors.New("the object has been modified"))
	}
	s.put(obj, false)
	return nil
}

func (s *apiServer) Patch(_ context.Context, obj client.Object, patch client.Patch, _ ...client.PatchOption) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	stored, err := s.begin("patch", obj)
	if err != nil {
		return err
	}
	if stored == nil {
		return apierrors.NewNotFound(group, obj.GetName())
	}
	data, err := patch.Data(obj)
	if err != nil {
		return err
	}
	raw, err := json.Marshal(stored)
	if err != nil {
		return err
	}
	if patch.Type() == types.JSONPatchType {
		var p jsonpatch.Patch
		if p, err = jsonpatch.DecodePatch(data); err == nil {
			raw, err = p.Apply(raw)
		}
	} else {
		raw, err = jsonpatch.MergePatch(raw, data)
	}
	if err != nil {
		return apierrors.NewInvalid(schema.GroupKind{}, obj.GetName(), nil)
	}
	switch obj := obj.(type) {
	case *v1alpha1.UserSecret:
		*obj = v1alpha1.UserSecret{}
	case *v1alpha1.AgentSecret:
		*obj = v1alpha1.AgentSecret{}
	}
	if err := json.Unmarshal(raw, obj); err != nil {
		return err
	}
	if obj.GetUID() != stored.GetUID() {
		return apierrors.NewConflict(group, obj.GetName(), errors.New("another uid"))
	}
	s.put(obj, false)
	return nil
}

func (s *apiServer) Delete(_ context.Context, obj client.Object, opts ...client.DeleteOption) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	stored, err := s.begin("delete", obj)
	if err != nil {
		return err
	}
	if stored == nil {
		return apierrors.NewNotFound(group, obj.GetName())
	}
	p := (&client.DeleteOptions{}).ApplyOptions(opts).Preconditions
	if p != nil && (p.UID != nil && *p.UID != stored.GetUID() || p.ResourceVersion != nil && *p.ResourceVersion != stored.GetResourceVersion()) {
		return apierrors.NewConflict(group, obj.GetName(), errors.New("precondition failed"))
	}
	s.put(copyOf(stored), true)
	return nil
}

func (s *apiServer) Get(_ context.Context, key client.ObjectKey, obj client.Object, _ ...client.GetOption) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.read != nil {
		defer s.read()
	}
	return get(s.objects, key, obj)
}

func (s *apiServer) List(_ context.Context, list client.ObjectList, opts ...client.ListOption) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := (&client.ListOptions{}).ApplyOptions(opts)
	objects := s.objects
	if o.Raw != nil && o.Raw.ResourceVersionMatch == metav1.ResourceVersionMatchExact {
		objects = map[string]client.Object{}
		for _, c := range s.log[:parseVersion(o.Raw.ResourceVersion)] {
			if objects[c.key] = c.object; c.deleted {
				delete(objects, c.key)
			}
		}
	}
	if page, ok := list.(*metav1.PartialObjectMetadataList); ok {
		s.listPage(page, o)
		return nil
	}
	fill(objects, list, o)
	return nil
}

func get(objects map[string]client.Object, key client.ObjectKey, obj client.Object) error {
	obj.SetNamespace(key.Namespace)
	obj.SetName(key.Name)
	switch stored := objects[keyOf(obj)].(type) {
	case *v1alpha1.UserSecret:
		if to, ok := obj.(*v1alpha1.UserSecret); ok {
			stored.DeepCopyInto(to)
		}
	case *v1alpha1.AgentSecret:
		if to, ok := obj.(*v1alpha1.AgentSecret); ok {
			stored.DeepCopyInto(to)
		}
	default:
		return apierrors.NewNotFound(group, key.Name)
	}
	return nil
}

// fill makes a list of objects, in an order of no meaning. As in a cache, its items
// share memory with what is stored.
func fill(objects map[string]client.Object, list client.ObjectList, o *client.ListOptions) {
	for _, obj := range objects {
		if o.Namespace != "" && obj.GetNamespace() != o.Namespace ||
			o.FieldSelector != nil && o.FieldSelector.Requirements()[0].Value != string(obj.GetUID()) {
			continue
		}
		switch list := list.(type) {
		case *v1alpha1.UserSecretList:
			if u, ok := obj.(*v1alpha1.UserSecret); ok {
				list.Items = append(list.Items, *u)
			}
		case *v1alpha1.AgentSecretList:
			if a, ok := obj.(*v1alpha1.AgentSecret); ok {
				list.Items = append(list.Items, *a)
			}
		}
	}
}

// together runs f for 0 to n-1 at once and returns what came of it.
func together(t *testing.T, n int, f func(ctx context.Context, i int) error) []error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out := make([]error, n)
	begin := make(chan struct{})
	var running sync.WaitGroup
	for i := range n {
		running.Go(func() { <-begin; out[i] = f(ctx, i) })
	}
	close(begin)
	running.Wait()
	return out
}

// sized seals into texts that say no more than their size.
type sized struct{}

func (sized) Seal(_ seal.Context, v seal.Value) (string, error) { return sealedOf(v.Len()), nil }

func (sized) Open(context.Context, seal.Context, string) (seal.Value, error) {
	return seal.Value{}, errors.New("not expected")
}

// users returns what is stored, as "name env file marks"; when it was changed is no mark.
func (s *apiServer) users() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, obj := range s.objects {
		if u, ok := obj.(*v1alpha1.UserSecret); ok {
			u = u.DeepCopy()
			delete(u.Annotations, v1alpha1.AnnotationUpdatedAt)
			out = append(out, strings.Join([]string{u.SecretName(), u.Spec.EnvName, u.Spec.FilePath, fmt.Sprint(len(u.Annotations))}, " "))
		}
	}
	slices.Sort(out)
	return out
}
