// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// imported returns an object of an import that was made at the epoch.
func imported(namespace, name, pending, committed string) v1alpha1.UserSecret {
	u := v1alpha1.UserSecret{ObjectMeta: metav1.ObjectMeta{
		Namespace: namespace, Name: name, UID: types.UID("uid-" + name), CreationTimestamp: metav1.NewTime(epoch), Annotations: map[string]string{},
	}}
	if pending != "" {
		u.Annotations[v1alpha1.AnnotationPending] = pending
	}
	if committed != "" {
		u.Annotations[v1alpha1.AnnotationCommitted] = committed
	}
	return u
}

// sweeper stands for the cache and the API server of an import's remains.
type sweeper struct {
	client.Reader
	client.Writer
	items  []v1alpha1.UserSecret
	writes []string
	err    error
}

func (s *sweeper) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	l, ok := list.(*v1alpha1.UserSecretList)
	if !ok {
		return errors.New("not expected")
	}
	l.Items = s.items
	return nil
}

func (s *sweeper) Delete(_ context.Context, obj client.Object, opts ...client.DeleteOption) error {
	o := (&client.DeleteOptions{}).ApplyOptions(opts)
	s.writes = append(s.writes, fmt.Sprintf("delete %s/%s %s", obj.GetNamespace(), obj.GetName(), *o.Preconditions.UID))
	return s.err
}

func (s *sweeper) Patch(_ context.Context, obj client.Object, patch client.Patch, _ ...client.PatchOption) error {
	raw, err := patch.Data(obj)
	if err != nil {
		return err
	}
	s.writes = append(s.writes, fmt.Sprintf("patch %s/%s %s", obj.GetNamespace(), obj.GetName(), raw))
	return s.err
}

func TestSweep(t *testing.T) {
	finished := func(namespace, name string) string {
		return fmt.Sprintf(`patch %s/%s {"metadata":{"annotations":{"latchkey.dev/import-committed":null,"latchkey.dev/import-pending":null},"uid":"uid-%s"}}`,
			namespace, name, name)
	}
	remains := []v1alpha1.UserSecret{
		imported("alice", "plain", "", ""),
		imported("alice", "a", "1", ""), imported("alice", "b", "", "1"),
		imported("alice", "c", "2", ""),
		imported("bob", "d", "1", ""),
	}
	want := []string{"delete alice/c uid-c", "delete bob/d uid-d", finished("alice", "a"), finished("alice", "b")}
	for name, tt := range map[string]struct {
		after    time.Duration
		answer   error
		want     []string
		wantN    int
		wantText string
	}{
		"an import that may be under way is left alone": {after: 5*time.Minute - time.Nanosecond},
		"what was committed is finished, what was not is deleted, tenant by tenant": {
			after: 5 * time.Minute, want: want, wantN: 4,
		},
		"what is gone meanwhile is fine": {
			after: time.Hour, answer: apierrors.NewNotFound(schema.GroupResource{}, "x"), want: want, wantN: 4,
		},
		"a failure does not stop the others": {
			after: time.Hour, answer: apierrors.NewForbidden(schema.GroupResource{}, "x", errors.New(canary)), want: want, wantN: 4,
			wantText: "sweep an import: the API server refused it: Forbidden",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := &sweeper{items: remains, err: tt.answer}
			n, err := Sweep(t.Context(), s, s, epoch.Add(tt.after))
			slices.Sort(s.writes)
			if diff := cmp.Diff(tt.want, s.writes); diff != "" || n != tt.wantN {
				t.Errorf("%d objects, want %d; writes (-want +got):\n%s", n, tt.wantN, diff)
			}
			var joined interface{ Unwrap() []error }
			if tt.wantText == "" && err != nil || tt.wantText != "" && !errors.As(err, &joined) {
				t.Fatalf("Sweep = %v, want %q of each", err, tt.wantText)
			}
			if joined == nil {
				return
			}
			for _, e := range joined.Unwrap() {
				if e.Error() != tt.wantText {
					t.Errorf("error %q, want %q", e, tt.wantText)
				}
			}
		})
	}
}

// sealer seals by writing down the size, and may have no key.
type sealer struct{ err error }

func (s sealer) Seal(at seal.Context, v seal.Value) (string, error) {
	return fmt.Sprintf("sealed %d bytes for %s %s/%s", v.Len(), at.Kind, at.Namespace, at.Name), s.err
}

func (s sealer) Open(context.Context, seal.Context, string) (seal.Value, error) {
	return seal.Value{}, errors.New("not expected")
}

func TestChange(t *testing.T) {
	text, off, value := "new", false, seal.ValueOf(canary)
	empty := ""
	before := v1alpha1.UserSecret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "alice", Name: "a"},
		Spec: v1alpha1.UserSecretSpec{
			Name: "a", Description: "d", EnvName: "E", FilePath: "/f", ValueFrom: &v1alpha1.ValueSource{},
		},
	}
	for name, tt := range map[string]struct {
		change UserChange
		want   func(*v1alpha1.UserSecretSpec)
	}{
		"nothing changes nothing": {UserChange{}, func(*v1alpha1.UserSecretSpec) {}},
		"every field changes": {UserChange{Description: &text, EnvName: &text, FilePath: &text, Enabled: &off}, func(s *v1alpha1.UserSecretSpec) {
			s.Description, s.EnvName, s.FilePath, s.Enabled = text, text, text, &off
		}},
		"empty texts take a field away": {UserChange{Description: &empty, EnvName: &empty, FilePath: &empty}, func(s *v1alpha1.UserSecretSpec) {
			s.Description, s.EnvName, s.FilePath = "", "", ""
		}},
		"a value replaces a source": {UserChange{Value: &value}, func(s *v1alpha1.UserSecretSpec) {
			s.ValueFrom, s.SealedValue = nil, "sealed 11 bytes for UserSecret alice/a"
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := &Users{core: &core{Options: Options{Keyring: sealer{}}}}
			got, want := before.DeepCopy(), before.DeepCopy()
			tt.want(&want.Spec)
			if err := s.change(t.Context(), before.DeepCopy(), got, tt.change); err != nil {
				t.Fatal(err)
			}
			if updated := got.Annotations[v1alpha1.AnnotationUpdatedAt]; (updated != "") != !cmp.Equal(got.Spec, before.Spec) {
				t.Errorf("it says that it was changed at %q", updated)
			}
			got.Annotations = nil
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("change (-want +got):\n%s", diff)
			}
		})
	}
	s := &Users{core: &core{Options: Options{Keyring: sealer{err: errors.New("no key")}}}}
	if err := s.change(t.Context(), &before, before.DeepCopy(), UserChange{Value: &value}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("without a key, change = %v, want ErrUnavailable", err)
	}
}
