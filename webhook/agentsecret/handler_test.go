// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package agentsecret

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/keyring"
	"github.com/latchkey-dev/latchkey/internal/policy/limits"
	"github.com/latchkey-dev/latchkey/internal/seal"
	"github.com/latchkey-dev/latchkey/webhook/sealing"
)

const (
	canonicalPath = "latchkey.dev/canonical-path"
	lastApplied   = "kubectl.kubernetes.io/last-applied-configuration"
	canonical     = `{"latchkey.dev/canonical-path":"true"}`
	value         = `"` + canary + `"`
)

// stored is the spec, with annotations, of a canonical object of path db and type
// Str.
func stored(members map[string]any) map[string]any {
	out := map[string]any{
		"path": []any{"db"}, "secretType": map[string]any{"type": "Str"}, canonicalPath: "true",
	}
	for k, v := range members {
		if out[k] = v; v == nil {
			delete(out, k)
		}
	}
	return out
}

func TestWhatIsStored(t *testing.T) {
	for name, tt := range map[string]struct {
		manifest
		want map[string]any
	}{
		"a value is sealed as canonical JSON": {
			manifest: manifest{spec: `{"value":  ` + value + ` }`},
			want:     stored(map[string]any{"sealedValue": "sealed(" + value + ")"}),
		},
		"a number is sealed as its type prints it": {
			manifest: manifest{spec: `{"value":1.50,"secretType":{"type":"F64"}}`},
			want:     stored(map[string]any{"sealedValue": "sealed(1.5)", "secretType": map[string]any{"type": "F64"}}),
		},
		"without a value there is none yet": {manifest: manifest{spec: `{}`}, want: stored(nil)},
		"null is no value":                  {manifest: manifest{spec: `{"value":null}`}, want: stored(nil)},
		"a path is made canonical, once": {
			manifest: manifest{spec: `{"path":["DB_Password","x_y_z"]}`}, want: stored(map[string]any{"path": []any{"dbPassword", "xYZ"}}),
		},
		"a path that was made canonical before is restored as it is": {
			manifest: manifest{spec: `{"path":["xYZ"]}`, annotations: canonical}, want: stored(map[string]any{"path": []any{"xYZ"}}),
		},
		"without the note, it is made canonical": {
			manifest: manifest{spec: `{"path":["xYZ"]}`, annotations: `{"x":"y"}`}, want: stored(map[string]any{"path": []any{"xYz"}, "x": "y"}),
		},
		"another text in the note is none": {
			manifest: manifest{spec: `{"path":["xYZ"]}`, annotations: `{"latchkey.dev/canonical-path":"false"}`}, want: stored(map[string]any{"path": []any{"xYz"}}),
		},
		"members that no type has are dropped from it": {
			manifest: manifest{spec: `{"secretType":{"type":"List","inner":{"type":"U8","x":1},"owner":null}}`},
			want:     stored(map[string]any{"secretType": map[string]any{"type": "List", "inner": map[string]any{"type": "U8"}}}),
		},
		"a sealed value of the type is taken": {
			manifest: manifest{spec: `{"sealedValue":"$newer"}`}, want: stored(map[string]any{"sealedValue": "$newer"}),
		},
		"one of an older key is sealed again with the newest": {
			manifest: manifest{spec: `{"sealedValue":"$older"}`}, want: stored(map[string]any{"sealedValue": "sealed(" + value + ")"}),
		},
		"one of an older key that was stored already stays, whatever else changes": {
			manifest: manifest{spec: `{"sealedValue":"$older","envName":"X"}`, old: `{"sealedValue":"$older"}`, annotations: canonical}, want: stored(map[string]any{"sealedValue": "$older", "envName": "X"}),
		},
		"a revision begins at 0, whatever is sent": {
			manifest: manifest{spec: `{"revision":7}`}, want: stored(map[string]any{"revision": 0.0}),
		},
		"the server's revision begins at 0 too": {
			manifest: manifest{spec: `{"revision":1}`, author: self}, want: stored(map[string]any{"revision": 0.0}),
		},
		"kubectl's copy of the value goes": {
			manifest: manifest{
				spec: `{"value":` + value + `}`, annotations: `{"latchkey.dev/canonical-path":"true","` + lastApplied + `":"{\"spec\":{\"value\":\"` + canary + `\"}}"}`,
			},
			want: stored(map[string]any{"sealedValue": "sealed(" + value + ")", lastApplied: "{\"spec\":{}}\n"}),
		},
		"the same manifest again changes nothing": {
			manifest: manifest{
				spec: `{"path":["DB"],"value":` + value + `,"sealedValue":"$older","revision":3}`, old: `{"sealedValue":"$older","revision":3}`, annotations: canonical,
			},
			want: stored(map[string]any{"sealedValue": "$older", "revision": 3.0}),
		},
		"the same manifest, replacing the object, changes nothing": {
			manifest: manifest{spec: `{"value":` + value + `}`, old: `{"sealedValue":"$older","revision":3}`, annotations: canonical},
			want:     stored(map[string]any{"sealedValue": "$older", "revision": 3.0}),
		},
		"another value is a new revision": {
			manifest: manifest{spec: `{"value":` + value + `,"sealedValue":"$other","revision":3}`, old: `{"sealedValue":"$other","revision":3}`, annotations: canonical},
			want:     stored(map[string]any{"sealedValue": "sealed(" + value + ")", "revision": 4.0}),
		},
		"a first value is a new revision": {
			manifest: manifest{spec: `{"value":` + value + `}`, old: `{}`, annotations: canonical},
			want:     stored(map[string]any{"sealedValue": "sealed(" + value + ")", "revision": 1.0}),
		},
		"another sealed value is a new revision": {
			manifest: manifest{spec: `{"sealedValue":"$other","revision":3}`, old: `{"sealedValue":"$newer","revision":3}`, annotations: canonical},
			want:     stored(map[string]any{"sealedValue": "$other", "revision": 4.0}),
		},
		"the same value, sealed again, is none": {
			manifest: manifest{spec: `{"sealedValue":"$newer","revision":3}`, old: `{"sealedValue":"$older","revision":3}`, annotations: canonical},
			want:     stored(map[string]any{"sealedValue": "$newer", "revision": 3.0}),
		},
		"the same value of an older key leaves what is stored": {
			manifest: manifest{spec: `{"sealedValue":"$older","revision":3}`, old: `{"sealedValue":"$newer","revision":3}`, annotations: canonical},
			want:     stored(map[string]any{"sealedValue": "$newer", "revision": 3.0}),
		},
		"taking the value away is a new revision": {
			manifest: manifest{spec: `{"revision":3}`, old: `{"sealedValue":"$newer","revision":3}`, annotations: canonical},
			want:     stored(map[string]any{"revision": 4.0}),
		},
		"somebody cannot raise the revision": {
			manifest: manifest{spec: `{"sealedValue":"$newer","revision":4}`, old: `{"sealedValue":"$newer","revision":3}`, annotations: canonical},
			want:     stored(map[string]any{"sealedValue": "$newer", "revision": 3.0}),
		},
		"a manifest without a revision does not lower it": {
			manifest: manifest{spec: `{"sealedValue":"$newer"}`, old: `{"sealedValue":"$newer","revision":3}`, annotations: canonical},
			want:     stored(map[string]any{"sealedValue": "$newer", "revision": 3.0}),
		},
		"the server can raise it by one": {
			manifest: manifest{spec: `{"sealedValue":"$newer","revision":4}`, old: `{"sealedValue":"$newer","revision":3}`, annotations: canonical, author: self},
			want:     stored(map[string]any{"sealedValue": "$newer", "revision": 4.0}),
		},
		"the server cannot raise it by two": {
			manifest: manifest{spec: `{"sealedValue":"$newer","revision":5}`, old: `{"sealedValue":"$newer","revision":3}`, annotations: canonical, author: self},
			want:     stored(map[string]any{"sealedValue": "$newer", "revision": 3.0}),
		},
		"the server raises it once with a new value": {
			manifest: manifest{spec: `{"sealedValue":"$other","revision":4}`, old: `{"sealedValue":"$newer","revision":3}`, annotations: canonical, author: self},
			want:     stored(map[string]any{"sealedValue": "$other", "revision": 4.0}),
		},
		"a type that is printed otherwise is the same": {
			manifest: manifest{
				spec: `{"secretType":{"x":1,"type":"Option","inner":{"type":"Str"}}}`, old: `{"secretType":{"type":"Option","inner":{"type":"Str"}}}`, annotations: canonical,
			},
			want: stored(map[string]any{"secretType": map[string]any{"type": "Option", "inner": map[string]any{"type": "Str"}}}),
		},
		"a path as it was stored stays, be it canonical or not": {
			manifest: manifest{spec: `{"path":["x_y"]}`, old: `{"path":["x_y"]}`}, want: stored(map[string]any{"path": []any{"x_y"}, canonicalPath: nil}),
		},
		"a stored value that does not open stays while nobody touches it": {
			manifest: manifest{spec: `{"sealedValue":"$foreign"}`, old: `{"sealedValue":"$foreign"}`, annotations: canonical},
			want:     stored(map[string]any{"sealedValue": "$foreign"}),
		},
		"an object that is being deleted is left alone": {
			manifest: manifest{
				metadata: `{"name":"a","namespace":"prod","deletionTimestamp":"2026-01-02T03:04:05Z"}`, spec: `{"path":["x_y"],"revision":9}`, old: `{}`,
			},
			want: stored(map[string]any{"path": []any{"x_y"}, "revision": 9.0, canonicalPath: nil}),
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			resp := f.handle(t, tt.manifest)
			if !resp.Allowed {
				t.Fatalf("refused: %+v", resp.Result)
			}
			if diff := cmp.Diff(tt.want, f.after(t, tt.manifest, resp)); diff != "" {
				t.Errorf("stored (-want +got):\n%s", diff)
			}
		})
	}
}

func invalid(field, message string) []metav1.StatusCause {
	return []metav1.StatusCause{{Type: metav1.CauseTypeFieldValueInvalid, Field: field, Message: message}}
}

func TestWhatIsRefused(t *testing.T) {
	unfit := invalid("spec.sealedValue", "it does not open for AgentSecret prod/a: it was sealed for another object, path or type, was altered, or holds what does not match the type; seal a valid value for this one, or set value instead")
	const immutable = "it is immutable: delete this AgentSecret and create another"
	for name, tt := range map[string]struct {
		manifest
		want []metav1.StatusCause
	}{
		"a value beside a sealed value": {
			manifest{spec: `{"value":` + value + `,"sealedValue":"$newer"}`}, invalid("spec", "set only one of value and sealedValue"),
		},
		"a value of another type, without a word of it": {
			manifest{spec: `{"value":` + value + `,"secretType":{"type":"U8"}}`},
			[]metav1.StatusCause{{Type: sealing.CauseTypeMismatch, Field: "spec.value", Message: "value does not match type: [expected number, found string]"}},
		},
		"a sealed value of another type": {
			manifest{spec: `{"sealedValue":"$number"}`},
			unfit,
		},
		"a sealed value of another object": {
			manifest{spec: `{"sealedValue":"$copied"}`},
			unfit,
		},
		"a sealed value of another path":                  {manifest{spec: `{"sealedValue":"$path"}`}, unfit},
		"a sealed value that was sealed for another type": {manifest{spec: `{"sealedValue":"$type"}`}, unfit},
		"a guess at a sealed value by a type": {
			manifest{spec: `{"sealedValue":"$newer","secretType":{"type":"Enum","cases":["` + canary + `"]}}`}, unfit,
		},
		"a sealed value of a key that is gone": {
			manifest{spec: `{"sealedValue":"$foreign"}`},
			invalid("spec.sealedValue", "its sealing key does not exist here: seal the value with the key of ConfigMap latchkey-public-keys, or set value instead"),
		},
		"a sealed value of an object said to be deleted already": {
			manifest{metadata: `{"name":"a","namespace":"prod","deletionTimestamp":"2026-01-02T03:04:05Z"}`, spec: `{"sealedValue":"$number"}`},
			unfit,
		},
		"a path without letters":  {manifest{spec: `{"path":["--"]}`}, invalid("spec.path", "path[0]: expected a segment with a letter or a digit")},
		"a note that is not true": {manifest{spec: `{"path":["x_y"]}`, annotations: canonical}, invalid("spec.path", "it is not canonical, as annotation latchkey.dev/canonical-path says: remove the annotation")},
		"another path on update":  {manifest{spec: `{"path":["x"]}`, old: `{"path":["y"]}`, annotations: canonical}, invalid("spec.path", immutable)},
		"another type on update":  {manifest{spec: `{"secretType":{"type":"Chr"}}`, old: `{"secretType":{"type":"Str"}}`, annotations: canonical}, invalid("spec.secretType", immutable)},
		"a name that is not known yet": {
			manifest{metadata: `{"generateName":"a-","namespace":"prod"}`, spec: `{"value":` + value + `}`},
			[]metav1.StatusCause{{Type: metav1.CauseTypeFieldValueNotSupported, Field: "metadata.generateName", Message: "a value is sealed for the object's name, which must be known: set metadata.name instead"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			resp := f.handle(t, tt.manifest)
			if diff := cmp.Diff(tt.want, causes(resp)); diff != "" || resp.Allowed || len(resp.Patches) > 0 {
				t.Errorf("allowed %t with %d patches; causes (-want +got):\n%s", resp.Allowed, len(resp.Patches), diff)
			}
		})
	}
}

func TestATypeThatCannotBeReadIsToldWithItsPlace(t *testing.T) {
	f := newFixture(t)
	resp := f.handle(t, manifest{spec: `{"path":["--"],"secretType":{"type":"Nonsense"},"value":` + value + `}`})
	got := causes(resp)
	if len(got) != 2 || got[0].Field != "spec.path" || got[1].Field != "spec.secretType" || !strings.HasPrefix(got[1].Message, "secretType.type: ") {
		t.Errorf("causes %+v, want one on the path and one on the type", got)
	}
}

func TestTheTenantsOtherObjects(t *testing.T) {
	taken := func(field, message, by string) []metav1.StatusCause {
		return []metav1.StatusCause{{
			Type: metav1.CauseTypeFieldValueDuplicate, Field: field, Message: message + " is claimed by " + by + "; choose another, or delete that one first",
		}}
	}
	limit := func(messages ...string) []metav1.StatusCause {
		var out []metav1.StatusCause
		for _, m := range messages {
			out = append(out, metav1.StatusCause{Type: sealing.CauseLimit, Field: "spec", Message: m})
		}
		return out
	}
	tight := limits.Agent{Secrets: 2, ValueBytes: 20, TotalValueBytes: 40}
	overridden := func(s *v1alpha1.AgentSecretSpec) { s.EnvName, s.FilePath = "X", "x/y" }
	for name, tt := range map[string]struct {
		manifest
		others []v1alpha1.AgentSecret
		limits limits.Agent
		want   []metav1.StatusCause
	}{
		"what is free is allowed": {manifest: manifest{spec: `{}`}, others: []v1alpha1.AgentSecret{other("x", 1)}},
		"a path that is taken is refused as made canonical": {
			manifest: manifest{spec: `{"path":["db_key"]}`}, others: []v1alpha1.AgentSecret{other("dbKey", 1)}, want: taken("spec.path", `path already in use: "dbKey"`, "dbKey"),
		},
		"a variable that is made from the path is not contested": {
			manifest: manifest{spec: `{"path":["db","key"]}`}, others: []v1alpha1.AgentSecret{other("dbKey", 1)},
		},
		"a variable that is asked for is": {
			manifest: manifest{spec: `{"envName":"DB_KEY"}`}, others: []v1alpha1.AgentSecret{other("dbKey", 1)},
			want: taken("spec.envName", `environment variable already in use: "DB_KEY"`, "dbKey"),
		},
		"a file that is asked for is": {
			manifest: manifest{spec: `{"filePath":"x/y"}`}, others: []v1alpha1.AgentSecret{other("z", 1, overridden)},
			want: taken("spec.filePath", `file path already in use: "x/y"`, "z"),
		},
		"an object that lost a variable can still be changed": {
			manifest: manifest{spec: `{"envName":"X","value":` + value + `}`, old: `{"envName":"X"}`, annotations: canonical},
			others:   []v1alpha1.AgentSecret{other("z", 1, overridden)},
		},
		"a tenant has room for so many": {
			manifest: manifest{spec: `{}`}, others: []v1alpha1.AgentSecret{other("x", 1), other("y", 1)}, limits: tight,
			want: limit("3 secrets exceed the tenant's limit of 2: delete 1"),
		},
		"a tenant has room for so much": {
			manifest: manifest{spec: `{"value":` + value + `}`}, others: []v1alpha1.AgentSecret{other("x", 30)}, limits: tight,
			want: limit("43 bytes of values exceed the tenant's limit of 40: free 3 by shortening or deleting some"),
		},
		"one value has room for so much": {
			manifest: manifest{spec: `{"value":"` + canary + `-and-more"}`}, limits: tight, want: limit("the value exceeds the limit of 20 bytes: shorten it"),
		},
		"all limits are told": {
			manifest: manifest{spec: `{"value":"` + canary + `-and-more"}`}, others: []v1alpha1.AgentSecret{other("x", 39)}, limits: tight,
			want: limit("61 bytes of values exceed the tenant's limit of 40: free 21 by shortening or deleting some", "the value exceeds the limit of 20 bytes: shorten it"),
		},
		"the object's own value does not count twice": {
			manifest: manifest{spec: `{"value":` + value + `,"sealedValue":"$other"}`, old: `{"sealedValue":"$other"}`, annotations: canonical},
			others:   []v1alpha1.AgentSecret{other("x", 27), named(other("db", 20), "a")}, limits: tight,
		},
		"above a limit that was lowered, an update that shrinks is allowed": {
			manifest: manifest{spec: `{"value":` + value + `,"sealedValue":"$other"}`, old: `{"sealedValue":"$other"}`, annotations: canonical},
			others:   []v1alpha1.AgentSecret{other("x", 99), other("y", 99)}, limits: tight,
		},
		"above a limit that was lowered, an update that grows is not": {
			manifest: manifest{spec: `{"value":"` + canary + `-and-more","sealedValue":"$newer"}`, old: `{"sealedValue":"$newer"}`, annotations: canonical},
			others:   []v1alpha1.AgentSecret{other("x", 99)}, limits: tight,
			want: limit("121 bytes of values exceed the tenant's limit of 40: free 81 by shortening or deleting some", "the value exceeds the limit of 20 bytes: shorten it"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, tt.others...)
			if tt.limits != (limits.Agent{}) {
				f.handler.Limits = tt.limits
			}
			resp := f.handle(t, tt.manifest)
			if diff := cmp.Diff(tt.want, causes(resp)); diff != "" || resp.Allowed != (tt.want == nil) {
				t.Errorf("allowed %t; causes (-want +got):\n%s", resp.Allowed, diff)
			}
		})
	}
}

func named(a v1alpha1.AgentSecret, name string) v1alpha1.AgentSecret {
	a.Name = name
	return a
}

func TestWhatIsNotTheRequestsFault(t *testing.T) {
	valued := manifest{spec: `{"value":` + value + `}`}
	for name, tt := range map[string]struct {
		manifest
		breaks   func(*fixture)
		wantCode int32
		want     string
	}{
		"no key is loaded": {
			valued, func(f *fixture) { f.handler.Keyring = keyring.NewRing(nil) }, http.StatusServiceUnavailable, "seal: " + keyring.ErrNoKey.Error(),
		},
		"the keys cannot be read": {
			manifest{spec: `{"sealedValue":"$newer"}`}, func(f *fixture) { f.handler.Keyring = failing{f.ring} }, http.StatusServiceUnavailable,
			"the sealing keys cannot be read, try again in a moment: timeout",
		},
		"the cache cannot be read": {
			valued, func(f *fixture) { f.handler.Reader = tenant{err: errors.New("not synced")} }, http.StatusServiceUnavailable,
			"list AgentSecrets: not synced",
		},
		"the object cannot be read": {
			manifest{spec: `{"envName":["` + canary + `"]}`}, nil, http.StatusBadRequest, "AgentSecret cannot be read: check the types of its fields",
		},
		"the stored object cannot be read": {
			manifest{spec: `{}`, old: `{"envName":["` + canary + `"]}`}, nil, http.StatusBadRequest, "the stored AgentSecret cannot be read",
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			if tt.breaks != nil {
				tt.breaks(f)
			}
			resp := f.handle(t, tt.manifest)
			if resp.Allowed || resp.Result.Code != tt.wantCode || resp.Result.Message != tt.want {
				t.Errorf("the answer is %+v, want %d %q", resp.Result, tt.wantCode, tt.want)
			}
		})
	}
}

// failing is a keyring that cannot read its keys.
type failing struct{ sealing.Keyring }

func (failing) Open(context.Context, seal.Context, string) (seal.Value, error) {
	return seal.Value{}, errors.New("timeout")
}

func TestAValueThatIsNoneIsNoMismatch(t *testing.T) {
	f := newFixture(t)
	resp := f.handle(t, manifest{spec: `{"value":` + strings.Repeat(`[`, 1000) + strings.Repeat(`]`, 1000) + `}`})
	got := causes(resp)
	if len(got) != 1 || got[0].Field != "spec.value" || got[0].Type != metav1.CauseTypeFieldValueInvalid {
		t.Errorf("causes %+v, want one that the value is invalid", got)
	}
}

func TestWithoutAServersNameNobodyRaisesARevision(t *testing.T) {
	f := newFixture(t)
	f.handler.Latchkey.Server = ""
	r := manifest{spec: `{"revision":4}`, old: `{"revision":3}`, annotations: canonical, author: nobody}
	resp := f.handle(t, r)
	if diff := cmp.Diff(stored(map[string]any{"revision": 3.0}), f.after(t, r, resp)); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
}
