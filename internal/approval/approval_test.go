// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package approval

import (
	"errors"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/digest"
)

var (
	key, _   = digest.NewKey([]byte(strings.Repeat("k", digest.KeyLen)))
	other, _ = digest.NewKey([]byte(strings.Repeat("o", digest.KeyLen)))

	now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
)

type edit func(*v1alpha1.UserSecret)

// sourced returns a secret of a source, as it was stored just now.
func sourced(edits ...edit) *v1alpha1.UserSecret {
	u := &v1alpha1.UserSecret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "alice", Name: "a", UID: "uid", Generation: 1, CreationTimestamp: metav1.NewTime(now)},
		Spec: v1alpha1.UserSecretSpec{
			Name: "a", EnvName: "A", FilePath: "~/a",
			ValueFrom: &v1alpha1.ValueSource{SecretKeyRef: v1alpha1.SecretKeyRef{Name: "s", Key: "k"}},
		},
	}
	for _, e := range edits {
		e(u)
	}
	return u
}

func generation(n int64) edit { return func(u *v1alpha1.UserSecret) { u.Generation = n } }

func approved(text string) edit {
	return func(u *v1alpha1.UserSecret) {
		u.Annotations = map[string]string{v1alpha1.AnnotationSourceApproval: text}
	}
}

// mint returns the approval of what u is, made at its creation or by an update.
func mint(u *v1alpha1.UserSecret, update bool) string {
	if update {
		return updated(key, u, u.Generation)
	}
	return created(key, u, now.Unix())
}

// others are all the ways in which an object is not the one that was approved.
var others = map[string]edit{
	"another namespace":         func(u *v1alpha1.UserSecret) { u.Namespace = "bob" },
	"another object":            func(u *v1alpha1.UserSecret) { u.Name = "b" },
	"another documented name":   func(u *v1alpha1.UserSecret) { u.Spec.Name = "b" },
	"another source":            func(u *v1alpha1.UserSecret) { u.Spec.ValueFrom.SecretKeyRef.Name = "t" },
	"another key of the source": func(u *v1alpha1.UserSecret) { u.Spec.ValueFrom.SecretKeyRef.Key = "j" },
	"another variable":          func(u *v1alpha1.UserSecret) { u.Spec.EnvName = "B" },
	"another file":              func(u *v1alpha1.UserSecret) { u.Spec.FilePath = "~/b" },
	"a target less":             func(u *v1alpha1.UserSecret) { u.Spec.FilePath = "" },
	"switched off":              func(u *v1alpha1.UserSecret) { u.Spec.Enabled = new(false) },
	"a value of its own":        func(u *v1alpha1.UserSecret) { u.Spec.ValueFrom = nil },
	"changed since":             func(u *v1alpha1.UserSecret) { u.Generation++ },
	"without an approval":       func(u *v1alpha1.UserSecret) { u.Annotations = nil },
	"with an altered approval":  func(u *v1alpha1.UserSecret) { u.Annotations[v1alpha1.AnnotationSourceApproval] += "A" },
}

func TestValid_OneStateOfOneObject_IsApprovedAlone(t *testing.T) {
	for form, update := range map[string]bool{"at creation": false, "by an update": true} {
		u := sourced()
		u = sourced(approved(mint(u, update)))
		if !Valid(key, u) {
			t.Errorf("approved %s: it is not valid for itself", form)
		}
		if Valid(other, u) {
			t.Errorf("approved %s: it is valid under another key", form)
		}
		for name, edit := range others {
			t.Run(form+"/"+name, func(t *testing.T) {
				if v := u.DeepCopy(); Valid(key, sourcedAs(v, edit)) {
					t.Error("the approval is valid")
				}
			})
		}
	}
	t.Run("a default that is written out is the same", func(t *testing.T) {
		u := sourced()
		text := mint(u, true)
		if !Valid(key, sourced(approved(text), func(u *v1alpha1.UserSecret) { u.Spec.Enabled, u.Spec.Name = new(true), "" })) {
			t.Error("the approval is not valid")
		}
	})
}

func sourcedAs(u *v1alpha1.UserSecret, e edit) *v1alpha1.UserSecret {
	e(u)
	return u
}

func TestValid_ApprovalOfADeletedObject_IsNotItsSuccessors(t *testing.T) {
	u := sourced()
	for name, tt := range map[string]struct {
		text string
		edit edit
		want bool
	}{
		"made by an update, and another UID":           {mint(u, true), func(u *v1alpha1.UserSecret) { u.UID = "later" }, false},
		"made by an update, and no UID yet":            {mint(sourced(func(u *v1alpha1.UserSecret) { u.UID = "" }), true), func(u *v1alpha1.UserSecret) { u.UID = "" }, false},
		"made at a creation ten minutes before":        {mint(u, false), func(u *v1alpha1.UserSecret) { u.CreationTimestamp.Time = now.Add(10 * time.Minute) }, false},
		"made at a creation ten minutes later":         {mint(u, false), func(u *v1alpha1.UserSecret) { u.CreationTimestamp.Time = now.Add(-10 * time.Minute) }, false},
		"made at its own creation, by a clock behind":  {mint(u, false), func(u *v1alpha1.UserSecret) { u.CreationTimestamp.Time = now.Add(2 * time.Minute) }, true},
		"made at its own creation, another time said":  {strings.Replace(mint(u, false), "c.1", "c.2", 1), func(*v1alpha1.UserSecret) {}, false},
		"of no form that there is":                     {"x." + mint(u, true), func(*v1alpha1.UserSecret) {}, false},
		"a creation's without a time":                  {"c." + strings.SplitN(mint(u, false), ".", 3)[2], func(*v1alpha1.UserSecret) {}, false},
		"an update's, said to be made at the creation": {"c." + strings.TrimPrefix(mint(u, true), "u."), func(*v1alpha1.UserSecret) {}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Valid(key, sourced(approved(tt.text), tt.edit)); got != tt.want {
				t.Errorf("valid: %t, want %t", got, tt.want)
			}
		})
	}
}

func TestApprove_WhoMayWriteWhat(t *testing.T) {
	off := func(u *v1alpha1.UserSecret) { u.Spec.Enabled = new(false) }
	env := func(name string) edit { return func(u *v1alpha1.UserSecret) { u.Spec.EnvName = name } }
	described := func(u *v1alpha1.UserSecret) { u.Spec.Description = "d" }
	valued := func(u *v1alpha1.UserSecret) { u.Spec.ValueFrom, u.Spec.SealedValue = nil, "lk1." }
	good := func(u *v1alpha1.UserSecret) { approved(mint(u, true))(u) }
	for name, tt := range map[string]struct {
		before, after []edit
		create        bool
		// asked, stranger and owner: whether rights matter, and what comes of a write by
		// somebody who may not get the source and by somebody who may.
		asked, stranger, strangersApproved, ownersApproved bool
	}{
		"to create one":                             {create: true, asked: true, ownersApproved: true},
		"to create one that is off":                 {create: true, after: []edit{off}, asked: true, ownersApproved: true},
		"to create one with a value":                {create: true, after: []edit{valued}, stranger: true},
		"to turn it on":                             {before: []edit{off, good}, asked: true, ownersApproved: true},
		"to redirect it":                            {before: []edit{good}, after: []edit{env("B")}, asked: true, ownersApproved: true},
		"to redirect it while it is off":            {before: []edit{off, good}, after: []edit{off, env("B")}, asked: true, ownersApproved: true},
		"to give it a first target":                 {before: []edit{env(""), good}, asked: true, ownersApproved: true},
		"to give it another source":                 {before: []edit{func(u *v1alpha1.UserSecret) { u.Spec.ValueFrom.SecretKeyRef.Name = "t" }, good}, asked: true, ownersApproved: true},
		"to give it another key":                    {before: []edit{func(u *v1alpha1.UserSecret) { u.Spec.ValueFrom.SecretKeyRef.Key = "j" }, good}, asked: true, ownersApproved: true},
		"to give it a source":                       {before: []edit{valued}, asked: true, ownersApproved: true},
		"to turn it off":                            {before: []edit{good}, after: []edit{off}, stranger: true, strangersApproved: true, ownersApproved: true},
		"to take a target from it":                  {before: []edit{good}, after: []edit{env("")}, stranger: true, strangersApproved: true, ownersApproved: true},
		"to describe it":                            {before: []edit{good}, after: []edit{described}, stranger: true, strangersApproved: true, ownersApproved: true},
		"to give it a value":                        {before: []edit{good}, after: []edit{valued}, stranger: true},
		"to touch one that was never approved":      {asked: true, stranger: true, ownersApproved: true},
		"to describe one that was never approved":   {after: []edit{described}, asked: true, stranger: true, ownersApproved: true},
		"to turn off one that was never approved":   {after: []edit{off}, asked: true, stranger: true, ownersApproved: true},
		"to turn on one that was never approved":    {before: []edit{off}, asked: true, ownersApproved: true},
		"to touch one with an approval of its past": {before: []edit{good, generation(7)}, asked: true, stranger: true, ownersApproved: true},
	} {
		for author, allowed := range map[string]bool{"a stranger": false, "an owner": true} {
			t.Run(author+" wants "+name, func(t *testing.T) {
				c := Change{After: sourced(tt.after...), Generation: 1, Now: now}
				if !tt.create {
					c.Before = sourced(tt.before...)
					c.Generation = c.Before.Generation + 1
				}
				asked := false
				text, ok, err := c.Approve(key, func() (bool, error) { asked = true; return allowed, nil })
				if err != nil || asked != tt.asked {
					t.Errorf("rights matter: %t, want %t; error %v", asked, tt.asked, err)
				}
				if want := allowed || tt.stranger; ok != want {
					t.Errorf("may write: %t, want %t", ok, want)
				}
				stored := sourced(append(tt.after, approved(text), generation(c.Generation))...)
				if got, want := Valid(key, stored), allowed && tt.ownersApproved || tt.strangersApproved; got != want {
					t.Errorf("what is stored is approved: %t, want %t", got, want)
				}
			})
		}
	}
}

func TestApprove_NothingChanged_ApprovalStaysAsItIs(t *testing.T) {
	before := sourced()
	before = sourced(approved(mint(before, false)))
	text, ok, err := Change{Before: before, After: sourced(), Generation: 1, Now: now.Add(time.Hour)}.Approve(key, nil)
	if text != before.Annotations[v1alpha1.AnnotationSourceApproval] || !ok || err != nil {
		t.Errorf("Approve = %q, %t, %v, want what there was", text, ok, err)
	}
}

func TestApprove_RightsUnknown_IsAnError(t *testing.T) {
	away := errors.New("away")
	text, ok, err := Change{After: sourced(), Generation: 1, Now: now}.Approve(key, func() (bool, error) { return true, away })
	if text != "" || ok || !errors.Is(err, away) {
		t.Errorf("Approve = %q, %t, %v, want the error alone", text, ok, err)
	}
}

func TestHolds_OnlyWhatIsBoundToTheStoredObject(t *testing.T) {
	next := sourced(generation(2))
	text := mint(next, true)
	for name, tt := range map[string]struct {
		change Change
		want   bool
	}{
		"its next state":             {Change{Before: sourced(), After: sourced(approved(text)), Generation: 2}, true},
		"another state":              {Change{Before: sourced(), After: sourced(approved(text)), Generation: 3}, false},
		"a UID that is only claimed": {Change{Before: sourced(func(u *v1alpha1.UserSecret) { u.UID = "other" }), After: sourced(approved(text)), Generation: 2}, false},
		"a new object":               {Change{After: sourced(approved(created(key, sourced(), now.Unix()))), Generation: 1}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tt.change.Holds(key); got != tt.want {
				t.Errorf("Holds = %t, want %t", got, tt.want)
			}
		})
	}
}
