// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/recheck"
	"github.com/latchkey-dev/latchkey/internal/server/store"
)

// ageless compares tenants by whose they are.
var ageless = cmpopts.IgnoreFields(Tenant{}, "Created", "Own")

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// namespace returns a Namespace that was made some seconds after the epoch. Its
// labels and annotations are told apart by their keys.
func namespace(name string, age int, facts map[string]string) metav1.PartialObjectMetadata {
	m := metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
		Name: name, UID: types.UID("uid-" + name), CreationTimestamp: metav1.NewTime(epoch.Add(time.Duration(age) * time.Second)),
		Labels: map[string]string{}, Annotations: map[string]string{},
	}}
	for key, value := range facts {
		if key == v1alpha1.AnnotationSubjects {
			m.Annotations[key] = value
		} else {
			m.Labels[key] = value
		}
	}
	return m
}

func TestBuild(t *testing.T) {
	const (
		user    = v1alpha1.LabelUser
		userID  = v1alpha1.LabelUserID
		env     = v1alpha1.LabelEnvironment
		envID   = v1alpha1.LabelEnvironmentID
		subject = v1alpha1.AnnotationSubjects
	)
	alice := Tenant{Namespace: "a", ID: "uid-a", Name: "alice"}
	for name, tt := range map[string]struct {
		namespaces   []metav1.PartialObjectMetadata
		only         []string
		want         index
		wantReported []string
	}{
		"a Namespace without labels is nobody": {namespaces: []metav1.PartialObjectMetadata{namespace("a", 1, nil)}},
		"without annotation the username is the subject": {
			namespaces: []metav1.PartialObjectMetadata{namespace("a", 1, map[string]string{user: "alice"})},
			want: index{
				bySubject: map[string]Tenant{"alice": alice}, byUserID: map[string]Tenant{"uid-a": alice}, byUsername: map[string]Tenant{"alice": alice},
			},
		},
		"with annotation only its lines are subjects": {
			namespaces: []metav1.PartialObjectMetadata{namespace("a", 1, map[string]string{user: "alice", subject: "oidc:alice\n\n  system:alice \n"})},
			want: index{
				bySubject: map[string]Tenant{"oidc:alice": alice, "system:alice": alice},
				byUserID:  map[string]Tenant{"uid-a": alice}, byUsername: map[string]Tenant{"alice": alice},
			},
		},
		"an empty annotation means nobody": {
			namespaces: []metav1.PartialObjectMetadata{namespace("a", 1, map[string]string{user: "alice", subject: ""})},
			want: index{
				byUserID: map[string]Tenant{"uid-a": alice}, byUsername: map[string]Tenant{"alice": alice},
			},
		},
		"an id that is carried over is looked up in lower case": {
			namespaces: []metav1.PartialObjectMetadata{namespace("e", 1, map[string]string{env: "prod", envID: "ABC"})},
			want: index{
				byEnvironmentID: map[string]Tenant{"abc": {Namespace: "e", ID: "abc", Name: "prod"}}, inNamespace: map[string]Tenant{"e": {Namespace: "e", ID: "abc", Name: "prod"}},
			},
		},
		"a Namespace can be both": {
			namespaces: []metav1.PartialObjectMetadata{namespace("a", 1, map[string]string{user: "alice", env: "alice's"})},
			want: index{
				bySubject: map[string]Tenant{"alice": alice}, byUserID: map[string]Tenant{"uid-a": alice}, byUsername: map[string]Tenant{"alice": alice},
				byEnvironmentID: map[string]Tenant{"uid-a": {Namespace: "a", ID: "uid-a", Name: "alice's"}}, inNamespace: map[string]Tenant{"a": {Namespace: "a", ID: "uid-a", Name: "alice's"}},
			},
		},
		"the older Namespace has the username and subject, the younger keeps its id": {
			namespaces: []metav1.PartialObjectMetadata{
				namespace("b", 2, map[string]string{user: "alice"}), namespace("a", 1, map[string]string{user: "alice"}),
			},
			want: index{
				bySubject: map[string]Tenant{"alice": alice}, byUsername: map[string]Tenant{"alice": alice},
				byUserID: map[string]Tenant{"uid-a": alice, "uid-b": {Namespace: "b", ID: "uid-b", Name: "alice"}},
			},
			wantReported: []string{"what=username key=alice namespace=b holder=a", "what=subject key=alice namespace=b holder=a"},
		},
		"nobody takes a subject by naming it": {
			namespaces: []metav1.PartialObjectMetadata{
				namespace("a", 1, map[string]string{user: "alice"}), namespace("m", 2, map[string]string{user: "mallory", subject: "alice\nmallory"}),
			},
			want: index{
				bySubject:  map[string]Tenant{"alice": alice, "mallory": {Namespace: "m", ID: "uid-m", Name: "mallory"}},
				byUsername: map[string]Tenant{"alice": alice, "mallory": {Namespace: "m", ID: "uid-m", Name: "mallory"}},
				byUserID:   map[string]Tenant{"uid-a": alice, "uid-m": {Namespace: "m", ID: "uid-m", Name: "mallory"}},
			},
			wantReported: []string{"what=subject key=alice namespace=m holder=a"},
		},
		"one that is not to be a tenant is nobody, and holds nothing": {
			namespaces: []metav1.PartialObjectMetadata{
				namespace("m", 1, map[string]string{user: "alice", env: "prod"}), namespace("a", 2, map[string]string{user: "alice"}),
			},
			only: []string{"a", "b"},
			want: index{
				bySubject: map[string]Tenant{"alice": alice}, byUserID: map[string]Tenant{"uid-a": alice}, byUsername: map[string]Tenant{"alice": alice},
			},
		},
		"nobody takes an id by naming it": {
			namespaces: []metav1.PartialObjectMetadata{
				namespace("a", 1, map[string]string{user: "alice", env: "prod"}),
				namespace("m", 2, map[string]string{user: "mallory", userID: "UID-A", env: "evil", envID: "UID-A"}),
			},
			want: index{
				bySubject:       map[string]Tenant{"alice": alice, "mallory": {Namespace: "m", ID: "uid-a", Name: "mallory"}},
				byUsername:      map[string]Tenant{"alice": alice, "mallory": {Namespace: "m", ID: "uid-a", Name: "mallory"}},
				byUserID:        map[string]Tenant{"uid-a": alice},
				byEnvironmentID: map[string]Tenant{"uid-a": {Namespace: "a", ID: "uid-a", Name: "prod"}},
				inNamespace:     map[string]Tenant{"a": {Namespace: "a", ID: "uid-a", Name: "prod"}},
			},
			wantReported: []string{`what="user id" key=uid-a namespace=m holder=a`, `what="environment id" key=uid-a namespace=m holder=a`},
		},
		"of two of one second the UID decides, on every replica": {
			namespaces: []metav1.PartialObjectMetadata{
				namespace("b", 1, map[string]string{env: "x", envID: "1"}), namespace("a", 1, map[string]string{env: "x", envID: "1"}),
			},
			want:         index{byEnvironmentID: map[string]Tenant{"1": {Namespace: "a", ID: "1", Name: "x"}}, inNamespace: map[string]Tenant{"a": {Namespace: "a", ID: "1", Name: "x"}}},
			wantReported: []string{`what="environment id" key=1 namespace=b holder=a`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			for range 2 { // in either order of input
				var log bytes.Buffer
				d := &Directory{only: tt.only}
				got := d.build(tt.namespaces, logr.FromSlogHandler(slog.NewTextHandler(&log, nil)))
				if diff := cmp.Diff(tt.want.filled(), got, cmp.AllowUnexported(index{}), ageless); diff != "" {
					t.Errorf("build (-want +got):\n%s", diff)
				}
				for _, line := range tt.wantReported {
					if !strings.Contains(log.String(), line) {
						t.Errorf("the log does not say %q:\n%s", line, log.String())
					}
				}
				if lines := strings.Count(log.String(), "\n"); lines != len(tt.wantReported) {
					t.Errorf("the log has %d lines, want %d:\n%s", lines, len(tt.wantReported), log.String())
				}
				slices.Reverse(tt.namespaces)
			}
		})
	}
}

// filled returns i with empty tables for those that a test leaves out.
func (i index) filled() index {
	for _, table := range []*map[string]Tenant{&i.bySubject, &i.byUserID, &i.byUsername, &i.byEnvironmentID, &i.inNamespace} {
		if *table == nil {
			*table = map[string]Tenant{}
		}
	}
	return i
}

func TestLookups(t *testing.T) {
	d := &Directory{log: logr.Discard()}
	d.live = recheck.New(func(context.Context, struct{}) (index, error) { return d.index, nil })
	d.index = d.build([]metav1.PartialObjectMetadata{
		namespace("a", 1, map[string]string{v1alpha1.LabelUser: "Alice", v1alpha1.LabelUserID: "ID-1", v1alpha1.AnnotationSubjects: "oidc:alice"}),
		namespace("e", 2, map[string]string{v1alpha1.LabelEnvironment: "prod"}),
		namespace("id-1", 3, map[string]string{v1alpha1.LabelUser: "id-1", v1alpha1.AnnotationSubjects: ""}),
	}, logr.Discard())
	alice, prod := Tenant{Namespace: "a", ID: "id-1", Name: "Alice"}, Tenant{Namespace: "e", ID: "uid-e", Name: "prod"}
	for name, tt := range map[string]struct {
		find func() (Tenant, error)
		want Tenant
		err  error
	}{
		"a subject is found":                     {func() (Tenant, error) { return d.User(t.Context(), "oidc:alice", Self) }, alice, nil},
		"a username is no subject of its own":    {func() (Tenant, error) { return d.User(t.Context(), "Alice", Self) }, Nobody(Self), ErrUnknown},
		"no subject is nobody":                   {func() (Tenant, error) { return d.User(t.Context(), "", Self) }, Nobody(Self), ErrUnknown},
		"an id is found in any case":             {func() (Tenant, error) { return d.User(t.Context(), "", "Id-1") }, alice, nil},
		"an id goes before a username":           {func() (Tenant, error) { return d.User(t.Context(), "", "id-1") }, alice, nil},
		"a username is found as it is":           {func() (Tenant, error) { return d.User(t.Context(), "", "Alice") }, alice, nil},
		"a username in another case is not":      {func() (Tenant, error) { return d.User(t.Context(), "", "alice") }, Nobody("alice"), ErrUnknown},
		"an environment is found by its id":      {func() (Tenant, error) { return d.Environment(t.Context(), "UID-E") }, prod, nil},
		"an environment is not found by name":    {func() (Tenant, error) { return d.Environment(t.Context(), "prod") }, Nobody("prod"), ErrUnknown},
		"a user is no environment":               {func() (Tenant, error) { return d.Environment(t.Context(), "id-1") }, Nobody("id-1"), ErrUnknown},
		"an environment is found by its place":   {func() (Tenant, error) { return d.EnvironmentIn(t.Context(), "e") }, prod, nil},
		"a user's Namespace is no environment's": {func() (Tenant, error) { return d.EnvironmentIn(t.Context(), "a") }, Nobody("a"), ErrUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := tt.find()
			if !cmp.Equal(tt.want, got, ageless) || !errors.Is(err, tt.err) {
				t.Errorf("got %+v, %v, want %+v, %v", got, err, tt.want, tt.err)
			}
		})
	}
}

func TestUser_Own_IsOfTheCallersSubject(t *testing.T) {
	d := &Directory{log: logr.Discard()}
	d.live = recheck.New(func(context.Context, struct{}) (index, error) { return d.index, nil })
	d.index = d.build([]metav1.PartialObjectMetadata{
		namespace("a", 1, map[string]string{v1alpha1.LabelUser: "alice"}), namespace("b", 2, map[string]string{v1alpha1.LabelUser: "bob"}),
	}, logr.Discard())
	for name, tt := range map[string]struct {
		caller, key string
		want        bool
	}{
		"oneself":                    {"alice", Self, true},
		"oneself by username":        {"alice", "alice", true},
		"oneself by id":              {"alice", "uid-a", true},
		"another":                    {"bob", "alice", false},
		"somebody who is no user":    {"admin", "alice", false},
		"oneself, who is no user":    {"admin", Self, false},
		"a user who does not exist":  {"alice", "carol", false},
		"nobody by one without user": {"admin", "carol", false},
	} {
		if got, _ := d.User(t.Context(), tt.caller, tt.key); got.Own != tt.want {
			t.Errorf("%s: own = %t, want %t", name, got.Own, tt.want)
		}
	}
}

func TestFind_APIServerAway_IsAnOutage(t *testing.T) {
	d := &Directory{log: logr.Discard()}
	d.live = recheck.New(func(context.Context, struct{}) (index, error) { return index{}, errors.New("refused") })
	_, err := d.User(t.Context(), "alice", "bob")
	if rerr := d.Refresh(t.Context()); !errors.Is(err, store.ErrUnavailable) || !errors.Is(rerr, store.ErrUnavailable) {
		t.Errorf("User returned %v, Refresh %v, want store.ErrUnavailable", err, rerr)
	}
}

func TestTenant_Created_IsTheNamespaces(t *testing.T) {
	m := namespace("a", 7, map[string]string{v1alpha1.LabelUser: "alice", v1alpha1.LabelEnvironment: "prod"})
	i := (&Directory{}).build([]metav1.PartialObjectMetadata{m}, logr.Discard())
	for what, got := range map[string]Tenant{"user": i.byUsername["alice"], "environment": i.inNamespace["a"]} {
		if !got.Created.Equal(m.CreationTimestamp.Time) || got.Created.IsZero() {
			t.Errorf("%s: created %s, want %s", what, got.Created, m.CreationTimestamp)
		}
	}
}

func TestOnlyFactsMakeTheIndexStale(t *testing.T) {
	base := namespace("a", 1, map[string]string{v1alpha1.LabelUser: "alice", v1alpha1.AnnotationSubjects: "x"})
	for name, tt := range map[string]struct {
		edit func(*metav1.PartialObjectMetadata)
		want bool
	}{
		"another resourceVersion does not":     {func(m *metav1.PartialObjectMetadata) { m.ResourceVersion = "2" }, false},
		"somebody else's label does not":       {func(m *metav1.PartialObjectMetadata) { m.Labels["x"] = "y" }, false},
		"somebody else's annotation does not":  {func(m *metav1.PartialObjectMetadata) { m.Annotations["x"] = "y" }, false},
		"another username does":                {func(m *metav1.PartialObjectMetadata) { m.Labels[v1alpha1.LabelUser] = "bob" }, true},
		"another user id does":                 {func(m *metav1.PartialObjectMetadata) { m.Labels[v1alpha1.LabelUserID] = "1" }, true},
		"another environment does":             {func(m *metav1.PartialObjectMetadata) { m.Labels[v1alpha1.LabelEnvironment] = "e" }, true},
		"another environment id does":          {func(m *metav1.PartialObjectMetadata) { m.Labels[v1alpha1.LabelEnvironmentID] = "1" }, true},
		"other subjects do":                    {func(m *metav1.PartialObjectMetadata) { m.Annotations[v1alpha1.AnnotationSubjects] = "y" }, true},
		"an empty list of subjects does":       {func(m *metav1.PartialObjectMetadata) { m.Annotations[v1alpha1.AnnotationSubjects] = "" }, true},
		"a Namespace that was made again does": {func(m *metav1.PartialObjectMetadata) { m.UID = "z" }, true},
	} {
		t.Run(name, func(t *testing.T) {
			d := &Directory{log: logr.Discard()}
			after := base.DeepCopy()
			tt.edit(after)
			d.changed(&base, after)
			if d.stale != tt.want {
				t.Errorf("stale = %t, want %t", d.stale, tt.want)
			}
		})
	}
	t.Run("what is no Namespace does, to be safe", func(t *testing.T) {
		d := &Directory{log: logr.Discard()}
		if d.changed("x", "x"); !d.stale {
			t.Error("stale = false, want true")
		}
	})
	t.Run("removing the annotation of no subjects does", func(t *testing.T) {
		d := &Directory{log: logr.Discard()}
		nobody := namespace("a", 1, map[string]string{v1alpha1.LabelUser: "alice", v1alpha1.AnnotationSubjects: ""})
		everybody := namespace("a", 1, map[string]string{v1alpha1.LabelUser: "alice"})
		if d.changed(&nobody, &everybody); !d.stale {
			t.Error("stale = false, want true")
		}
	})
}

func TestFind_NewerThanTheCache_IsLookedUpOnce(t *testing.T) {
	looked := 0
	d := &Directory{log: logr.Discard()}
	d.index = d.build(nil, logr.Discard())
	fresh := d.build([]metav1.PartialObjectMetadata{
		namespace("a", 1, map[string]string{v1alpha1.LabelUser: "alice", v1alpha1.LabelEnvironment: "prod"}),
	}, logr.Discard())
	d.live = recheck.New(func(context.Context, struct{}) (index, error) { looked++; return fresh, nil })
	want := Tenant{Namespace: "a", ID: "uid-a", Name: "alice"}
	for name, find := range map[string]func() (Tenant, error){
		"by username": func() (Tenant, error) { return d.User(t.Context(), "", "alice") },
		"by id":       func() (Tenant, error) { return d.User(t.Context(), "", "uid-a") },
		"by subject":  func() (Tenant, error) { return d.User(t.Context(), "alice", Self) },
		"as an environment by id": func() (Tenant, error) {
			e, err := d.Environment(t.Context(), "uid-a")
			e.Name = "alice"
			return e, err
		},
		"as an environment by Namespace": func() (Tenant, error) {
			e, err := d.EnvironmentIn(t.Context(), "a")
			e.Name = "alice"
			return e, err
		},
	} {
		looked = 0
		got, err := find()
		if diff := cmp.Diff(want, got, ageless); diff != "" || err != nil || looked != 1 {
			t.Errorf("%s: %+v, %v after %d lookups, want it after one", name, got, err, looked)
		}
	}
	looked = 0
	if _, err := d.User(t.Context(), "", "nobody"); !errors.Is(err, ErrUnknown) || looked != 1 {
		t.Errorf("nobody: %v after %d lookups, want unknown after one", err, looked)
	}
	d.index = fresh
	looked = 0
	if _, err := d.User(t.Context(), "", "alice"); err != nil || looked != 0 {
		t.Errorf("what the cache has: %v after %d lookups, want none", err, looked)
	}
}
