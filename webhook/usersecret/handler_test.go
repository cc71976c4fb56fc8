// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package usersecret

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/keyring"
	"github.com/latchkey-dev/latchkey/internal/policy/limits"
	"github.com/latchkey-dev/latchkey/webhook/sealing"
)

const (
	updatedAt   = "latchkey.dev/updated-at"
	lastApplied = "kubectl.kubernetes.io/last-applied-configuration"
	nowText     = "2026-01-02T03:04:05.000006789Z"
	source      = `{"secretKeyRef":{"name":"s","key":"k"}}`
)

// ref is source, as it is stored.
func ref() map[string]any {
	return map[string]any{"secretKeyRef": map[string]any{"name": "s", "key": "k"}}
}

func TestWhatIsStored(t *testing.T) {
	const value = `"` + canary + `"`
	for name, tt := range map[string]struct {
		request
		want      map[string]any
		wantAsked []string
	}{
		"a value is sealed and the name filled in": {
			request: request{spec: `{"envName":"A","value":` + value + `}`},
			want:    map[string]any{"name": "a", "envName": "A", "sealedValue": "sealed(" + canary + ")"},
		},
		"a name that is given stays": {
			request: request{spec: `{"name":"my token","value":` + value + `}`},
			want:    map[string]any{"name": "my token", "sealedValue": "sealed(" + canary + ")"},
		},
		"a sealed value is taken as it is": {
			request: request{spec: `{"name":"a","sealedValue":"$newer"}`},
			want:    map[string]any{"name": "a", "sealedValue": "$newer"},
		},
		"one of an older key is sealed again with the newest": {
			request: request{spec: `{"name":"a","sealedValue":"$older"}`},
			want:    map[string]any{"name": "a", "sealedValue": "sealed(" + canary + ")"},
		},
		"one of an older key that was stored already stays, whatever else changes": {
			request: request{spec: `{"name":"a","sealedValue":"$older","envName":"X"}`, old: `{"name":"a","sealedValue":"$older"}`},
			want:    map[string]any{"name": "a", "sealedValue": "$older", "envName": "X", updatedAt: nowText},
		},
		"a source that the author may read is taken": {
			request: request{spec: `{"name":"a","valueFrom":` + source + `}`},
			want:    map[string]any{"name": "a", "valueFrom": ref(), "approved": true}, wantAsked: []string{"mallory alice/s"},
		},
		"kubectl's copy of the value goes": {
			request: request{
				metadata: `{"name":"a","namespace":"alice","annotations":{"` + lastApplied + `":"{\"spec\":{\"value\":\"` + canary + `\"}}"}}`,
				spec:     `{"name":"a","value":` + value + `}`,
			},
			want: map[string]any{"name": "a", "sealedValue": "sealed(" + canary + ")", lastApplied: "{\"spec\":{}}\n"},
		},
		"the same manifest again changes nothing": {
			request: request{spec: `{"name":"a","sealedValue":"$older","value":` + value + `}`, old: `{"name":"a","sealedValue":"$older"}`},
			want:    map[string]any{"name": "a", "sealedValue": "$older"},
		},
		"the same manifest, replacing the object, changes nothing": {
			request: request{spec: `{"value":` + value + `}`, old: `{"name":"a","sealedValue":"$older"}`},
			want:    map[string]any{"name": "a", "sealedValue": "$older"},
		},
		"another value is sealed, and the time noted": {
			request: request{spec: `{"name":"a","sealedValue":"$other","value":` + value + `}`, old: `{"name":"a","sealedValue":"$other"}`},
			want:    map[string]any{"name": "a", "sealedValue": "sealed(" + canary + ")", updatedAt: nowText},
		},
		"an empty value is one on update": {
			request: request{spec: `{"name":"a","sealedValue":"$other","value":""}`, old: `{"name":"a","sealedValue":"$other"}`},
			want:    map[string]any{"name": "a", "sealedValue": "sealed()", updatedAt: nowText},
		},
		"the time is noted beside other notes": {
			request: request{
				metadata: `{"name":"a","namespace":"alice","annotations":{"x":"y"}}`,
				spec:     `{"name":"a","sealedValue":"$other","description":"new"}`, old: `{"name":"a","sealedValue":"$other"}`,
			},
			want: map[string]any{"name": "a", "sealedValue": "$other", "description": "new", updatedAt: nowText, "x": "y"},
		},
		"switching projection off is a change": {
			request: request{spec: `{"name":"a","sealedValue":"$other","enabled":false}`, old: `{"name":"a","sealedValue":"$other"}`},
			want:    map[string]any{"name": "a", "sealedValue": "$other", "enabled": false, updatedAt: nowText},
		},
		"saying the default is no change": {
			request: request{spec: `{"name":"a","sealedValue":"$other","enabled":true}`, old: `{"name":"a","sealedValue":"$other"}`},
			want:    map[string]any{"name": "a", "sealedValue": "$other", "enabled": true},
		},
		"another variable and file are a change": {
			request: request{spec: `{"name":"a","sealedValue":"$other","envName":"B","filePath":"~/b"}`, old: `{"name":"a","sealedValue":"$other","envName":"A"}`},
			want:    map[string]any{"name": "a", "sealedValue": "$other", "envName": "B", "filePath": "~/b", updatedAt: nowText},
		},
		"a name that was not stored is filled in, which is no change": {
			request: request{spec: `{"sealedValue":"$other"}`, old: `{"sealedValue":"$other"}`},
			want:    map[string]any{"name": "a", "sealedValue": "$other"},
		},
		"a new value replaces a source that merely stayed": {
			request: request{spec: `{"name":"a","valueFrom":` + source + `,"value":` + value + `}`, old: `{"name":"a","valueFrom":` + source + `}`},
			want:    map[string]any{"name": "a", "sealedValue": "sealed(" + canary + ")", updatedAt: nowText},
		},
		"a new source replaces a sealed value that merely stayed": {
			request: request{spec: `{"name":"a","valueFrom":` + source + `,"sealedValue":"$newer"}`, old: `{"name":"a","sealedValue":"$newer"}`},
			want:    map[string]any{"name": "a", "valueFrom": ref(), updatedAt: nowText, "approved": true}, wantAsked: []string{"mallory alice/s"},
		},
		"a new sealed value replaces a source that merely stayed": {
			request: request{spec: `{"name":"a","valueFrom":` + source + `,"sealedValue":"$newer"}`, old: `{"name":"a","valueFrom":` + source + `}`},
			want:    map[string]any{"name": "a", "sealedValue": "$newer", updatedAt: nowText},
		},
		"a source that stayed and was never approved is, by an author who may get it": {
			request: request{spec: `{"name":"a","valueFrom":` + source + `}`, old: `{"name":"a","valueFrom":` + source + `}`},
			want:    map[string]any{"name": "a", "valueFrom": ref(), "approved": true}, wantAsked: []string{"mallory alice/s"},
		},
		"another key of a source is asked about": {
			request: request{spec: `{"name":"a","valueFrom":` + source + `}`, old: `{"name":"a","valueFrom":{"secretKeyRef":{"name":"s","key":"j"}}}`},
			want:    map[string]any{"name": "a", "valueFrom": ref(), updatedAt: nowText, "approved": true}, wantAsked: []string{"mallory alice/s"},
		},
		"the same value of a newer key is taken, which is no change": {
			request: request{spec: `{"name":"a","sealedValue":"$newer"}`, old: `{"name":"a","sealedValue":"$older"}`},
			want:    map[string]any{"name": "a", "sealedValue": "$newer"},
		},
		"the same value of an older key leaves what is stored": {
			request: request{spec: `{"name":"a","sealedValue":"$older"}`, old: `{"name":"a","sealedValue":"$newer"}`},
			want:    map[string]any{"name": "a", "sealedValue": "$newer"},
		},
		"another sealed value is a change": {
			request: request{spec: `{"name":"a","sealedValue":"$other"}`, old: `{"name":"a","sealedValue":"$newer"}`},
			want:    map[string]any{"name": "a", "sealedValue": "$other", updatedAt: nowText},
		},
		"a stored value that does not open stays while nobody touches it": {
			request: request{spec: `{"name":"a","sealedValue":"$foreign"}`, old: `{"name":"a","sealedValue":"$foreign"}`},
			want:    map[string]any{"name": "a", "sealedValue": "$foreign"},
		},
		"fields that broke a rule before may stay as they are": {
			request: request{spec: `{"name":"a","sealedValue":"$other","envName":"PATH"}`, old: `{"name":"a","sealedValue":"$other","envName":"PATH"}`},
			want:    map[string]any{"name": "a", "sealedValue": "$other", "envName": "PATH"},
		},
		"an object without any value is the schema's to refuse": {
			request: request{spec: `{"name":"a"}`}, want: map[string]any{"name": "a"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			resp := f.handle(t, tt.request)
			if !resp.Allowed {
				t.Fatalf("refused: %+v", resp.Result)
			}
			if diff := cmp.Diff(tt.want, f.after(t, tt.request, resp)); diff != "" {
				t.Errorf("stored (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.wantAsked, f.access.asked); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
		})
	}
}

func invalid(field, message string) metav1.StatusCause {
	return metav1.StatusCause{Type: metav1.CauseTypeFieldValueInvalid, Field: field, Message: message}
}

func TestWhatIsRefused(t *testing.T) {
	const onlyOne = "set only one of value, sealedValue and valueFrom"
	const copied = "it does not open for UserSecret alice/a: it was sealed for another object, was altered, or holds what does not match the rules of its fields; seal a valid value for this one, or set value instead"
	forbidden := metav1.StatusCause{
		Type: metav1.CauseTypeForbidden, Field: "spec.valueFrom",
		Message: "mallory may not get Secret s in this namespace, and so cannot use it as a source: ask for that right, or set value instead",
	}
	long := canary + strings.Repeat("x", 24577-len(canary))
	for name, tt := range map[string]struct {
		request
		want []metav1.StatusCause
	}{
		"a value beside a sealed value":                    {request{spec: `{"value":"` + canary + `","sealedValue":"$newer"}`}, []metav1.StatusCause{invalid("spec", onlyOne)}},
		"a value beside a source":                          {request{spec: `{"value":"` + canary + `","valueFrom":` + source + `}`}, []metav1.StatusCause{invalid("spec", onlyOne)}},
		"a sealed value beside a source":                   {request{spec: `{"sealedValue":"$newer","valueFrom":` + source + `}`}, []metav1.StatusCause{invalid("spec", onlyOne)}},
		"two new ones on update":                           {request{spec: `{"sealedValue":"$newer","valueFrom":` + source + `}`, old: `{"sealedValue":"$other"}`}, []metav1.StatusCause{invalid("spec", onlyOne)}},
		"a value that is a number":                         {request{spec: `{"value":` + "1234" + `}`}, []metav1.StatusCause{invalid("spec.value", "value must be a string: put it in quotes")}},
		"a value that is an object":                        {request{spec: `{"value":{"` + canary + `":1}}`}, []metav1.StatusCause{invalid("spec.value", "value must be a string: put it in quotes")}},
		"an empty value on creation":                       {request{spec: `{"value":""}`}, []metav1.StatusCause{invalid("spec.value", "Value is required.")}},
		"a value with a null byte":                         {request{spec: `{"value":"` + canary + `\u0000"}`}, []metav1.StatusCause{invalid("spec.value", "secret value must not contain null bytes")}},
		"a value that is too long":                         {request{spec: `{"value":"` + long + `"}`}, []metav1.StatusCause{invalid("spec.value", "secret value must not exceed 24576 bytes")}},
		"a sealed value of another object":                 {request{spec: `{"sealedValue":"$copied"}`}, []metav1.StatusCause{invalid("spec.sealedValue", copied)}},
		"a sealed value with a null byte":                  {request{spec: `{"sealedValue":"$null"}`}, []metav1.StatusCause{invalid("spec.sealedValue", copied)}},
		"a sealed value of a key that is gone":             {request{spec: `{"sealedValue":"$foreign"}`}, []metav1.StatusCause{invalid("spec.sealedValue", "its sealing key does not exist here: seal the value with the key of ConfigMap latchkey-public-keys, or set value instead")}},
		"a plaintext as sealed value":                      {request{spec: `{"sealedValue":"` + canary + `"}`}, []metav1.StatusCause{invalid("spec.sealedValue", "not a sealed value: it must begin with lk1.; copy the whole text, or seal the value again")}},
		"a source that the author may not read":            {request{spec: `{"valueFrom":` + source + `}`}, []metav1.StatusCause{forbidden}},
		"a source of an object said to be deleted already": {request{metadata: `{"name":"a","namespace":"alice","deletionTimestamp":"2026-01-02T03:04:05Z"}`, spec: `{"valueFrom":` + source + `}`}, []metav1.StatusCause{forbidden}},
		"a name that is not known yet":                     {request{metadata: `{"generateName":"a-","namespace":"alice"}`, spec: `{"value":"` + canary + `"}`}, []metav1.StatusCause{{Type: metav1.CauseTypeFieldValueNotSupported, Field: "metadata.generateName", Message: "a value is sealed for the object's name, which must be known: set metadata.name instead"}}},
		"every field that breaks a rule, at once": {
			request{spec: `{"name":"a/b","envName":"PATH","filePath":"rel","description":"\u0000","value":""}`},
			[]metav1.StatusCause{
				invalid("spec.value", "Value is required."),
				invalid("spec.name", "Name must not contain /, ?, or #."),
				invalid("spec.envName", "PATH is a reserved environment variable name"),
				invalid("spec.filePath", "file path must start with ~/ or /"),
				invalid("spec.description", "description must not contain null bytes"),
			},
		},
		"a field that comes to break a rule": {
			request{spec: `{"name":"a","sealedValue":"$other","envName":"1A"}`, old: `{"name":"a","sealedValue":"$other","envName":"A1"}`},
			[]metav1.StatusCause{invalid("spec.envName", "must start with a letter or underscore, followed by letters, digits, or underscores")},
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.access.allowed = false
			resp := f.handle(t, tt.request)
			if diff := cmp.Diff(tt.want, causes(resp)); diff != "" || resp.Allowed || len(resp.Patches) > 0 {
				t.Errorf("allowed %t with %d patches; causes (-want +got):\n%s", resp.Allowed, len(resp.Patches), diff)
			}
		})
	}
}

func TestTheTenantsOtherObjects(t *testing.T) {
	taken := func(field, message string) metav1.StatusCause {
		return metav1.StatusCause{
			Type: metav1.CauseTypeFieldValueDuplicate, Field: field, Message: message + " is claimed by b; choose another, or delete that one first",
		}
	}
	tight := limits.User{Secrets: 2, ValueBytes: 40, EnvValueBytes: 30}
	limit := func(message string) []metav1.StatusCause {
		return []metav1.StatusCause{{Type: sealing.CauseLimit, Field: "spec", Message: message}}
	}
	named := func(o v1alpha1.UserSecret, name string) v1alpha1.UserSecret { o.Spec.Name = name; return o }
	for name, tt := range map[string]struct {
		request
		others []v1alpha1.UserSecret
		limits limits.User
		want   []metav1.StatusCause
	}{
		"what is free is allowed": {
			request: request{spec: `{"envName":"A","filePath":"~/a","value":"` + canary + `"}`}, others: []v1alpha1.UserSecret{other("b", "B", "~/b", 1)},
		},
		"everything that is taken is refused": {
			request: request{spec: `{"name":"token","envName":"B","filePath":"~/b","value":"` + canary + `"}`},
			others:  []v1alpha1.UserSecret{named(other("b", "B", "~/b", 1), "token")},
			want: []metav1.StatusCause{
				taken("spec.name", `name already in use: "token"`),
				taken("spec.envName", `environment variable already in use: "B"`),
				taken("spec.filePath", `file path already in use: "~/b"`),
			},
		},
		"the object itself, in the cache, is no rival": {
			request: request{spec: `{"name":"a","envName":"A","sealedValue":"$other"}`, old: `{"name":"a","sealedValue":"$other"}`},
			others:  []v1alpha1.UserSecret{other("a", "A", "", 1)},
		},
		"an object that lost a variable can still be changed": {
			request: request{spec: `{"name":"a","envName":"B","sealedValue":"$other","description":"x"}`, old: `{"name":"a","envName":"B","sealedValue":"$other"}`},
			others:  []v1alpha1.UserSecret{other("b", "B", "", 1)},
		},
		"an object cannot take another's variable later": {
			request: request{spec: `{"name":"a","envName":"B","sealedValue":"$other"}`, old: `{"name":"a","envName":"A","sealedValue":"$other"}`},
			others:  []v1alpha1.UserSecret{other("b", "B", "", 1)},
			want:    []metav1.StatusCause{taken("spec.envName", `environment variable already in use: "B"`)},
		},
		"a tenant has room for so many": {
			request: request{spec: `{"value":"` + canary + `"}`}, others: []v1alpha1.UserSecret{other("b", "", "", 1), other("c", "", "", 1)}, limits: tight,
			want: limit("3 secrets exceed the tenant's limit of 2: delete 1"),
		},
		"a tenant has room for so much": {
			request: request{spec: `{"value":"` + canary + `"}`}, others: []v1alpha1.UserSecret{other("b", "", "", 30)}, limits: tight,
			want: limit("41 bytes of values exceed the tenant's limit of 40: free 1 by shortening or deleting some"),
		},
		"a tenant has room for so much in variables": {
			request: request{spec: `{"envName":"A","value":"` + canary + `"}`}, others: []v1alpha1.UserSecret{other("b", "B", "", 20)}, limits: tight,
			want: limit("31 bytes of values in environment variables exceed the tenant's limit of 30: shorten them by 1, or project some as files"),
		},
		"an update that grows is judged": {
			request: request{spec: `{"name":"a","sealedValue":"$newer","value":"` + canary + `-longer"}`, old: `{"name":"a","sealedValue":"$newer"}`},
			others:  []v1alpha1.UserSecret{other("b", "", "", 29)}, limits: tight,
			want: limit("47 bytes of values exceed the tenant's limit of 40: free 7 by shortening or deleting some"),
		},
		"an update that adds a variable is judged": {
			request: request{spec: `{"name":"a","sealedValue":"$newer","envName":"A"}`, old: `{"name":"a","sealedValue":"$newer"}`},
			others:  []v1alpha1.UserSecret{other("b", "B", "", 29)}, limits: tight,
			want: limit("40 bytes of values in environment variables exceed the tenant's limit of 30: shorten them by 10, or project some as files"),
		},
		"above a limit that was lowered, an update that shrinks is allowed": {
			request: request{spec: `{"name":"a","sealedValue":"$other","value":"` + canary + `"}`, old: `{"name":"a","sealedValue":"$other"}`},
			others:  []v1alpha1.UserSecret{other("b", "", "", 99), other("c", "", "", 99)}, limits: tight,
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, tt.others...)
			if tt.limits != (limits.User{}) {
				f.handler.Limits = tt.limits
			}
			resp := f.handle(t, tt.request)
			if diff := cmp.Diff(tt.want, causes(resp)); diff != "" || resp.Allowed != (tt.want == nil) {
				t.Errorf("allowed %t; causes (-want +got):\n%s", resp.Allowed, diff)
			}
		})
	}
}

func TestAnObjectThatIsBeingDeletedIsLeftAlone(t *testing.T) {
	f := newFixture(t)
	resp := f.handle(t, request{
		metadata: `{"name":"a","namespace":"alice","deletionTimestamp":"2026-01-02T03:04:05Z"}`,
		spec:     `{"name":"a/b","envName":"PATH"}`, old: `{"name":"a"}`,
	})
	if !resp.Allowed || len(resp.Patches) > 0 {
		t.Errorf("the answer is %+v, want it allowed as it is", resp)
	}
}

func TestWhatIsNotTheRequestsFault(t *testing.T) {
	valued, sourced := request{spec: `{"value":"` + canary + `"}`}, request{spec: `{"valueFrom":` + source + `}`}
	for name, tt := range map[string]struct {
		request
		breaks   func(*fixture)
		wantCode int32
		want     string
	}{
		"no key is loaded": {
			valued, func(f *fixture) { f.handler.Keyring = keyring.NewRing(nil) }, http.StatusServiceUnavailable,
			"seal: " + keyring.ErrNoKey.Error(),
		},
		"the cache cannot be read": {
			valued, func(f *fixture) { f.handler.Reader = tenant{err: errCache} }, http.StatusServiceUnavailable,
			"list UserSecrets: the cache has not synced",
		},
		"nobody says what the author may do": {
			sourced, func(f *fixture) { f.access.err = errors.New("timeout") }, http.StatusServiceUnavailable,
			"ask whether the author may get the source Secret: timeout",
		},
		"the object cannot be read": {
			request{spec: `{"enabled":"` + canary + `"}`}, nil, http.StatusBadRequest, "UserSecret cannot be read: check the types of its fields",
		},
		"the stored object cannot be read": {
			request{spec: `{}`, old: `"` + canary + `"`}, nil, http.StatusBadRequest, "the stored UserSecret cannot be read",
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			if tt.breaks != nil {
				tt.breaks(f)
			}
			resp := f.handle(t, tt.request)
			if resp.Allowed || resp.Result.Code != tt.wantCode || resp.Result.Message != tt.want {
				t.Errorf("the answer is %+v, want %d %q", resp.Result, tt.wantCode, tt.want)
			}
		})
	}
}
