// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package sealing

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"gomodules.xyz/jsonpatch/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/policy"
	"github.com/latchkey-dev/latchkey/internal/policy/claim"
	"github.com/latchkey-dev/latchkey/internal/policy/limits"
)

const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

func TestResponse(t *testing.T) {
	t.Run("nothing to change allows", func(t *testing.T) {
		resp := (&Review{}).Response()
		if !resp.Allowed || len(resp.Patches) > 0 {
			t.Errorf("the answer is %+v, want it allowed as it is", resp)
		}
	})
	t.Run("changes come in their order", func(t *testing.T) {
		r := &Review{}
		r.Remove("/spec/value")
		r.Set("/spec/sealedValue", "x")
		resp := r.Response()
		want := []jsonpatch.Operation{
			{Operation: "remove", Path: "/spec/value"}, {Operation: "add", Path: "/spec/sealedValue", Value: "x"},
		}
		if diff := cmp.Diff(want, resp.Patches); diff != "" || !resp.Allowed {
			t.Errorf("allowed %t, patches (-want +got):\n%s", resp.Allowed, diff)
		}
	})
	t.Run("all refusals come at once, and no change", func(t *testing.T) {
		r := &Review{}
		r.Set("/spec/sealedValue", "x")
		r.Refuse("spec.envName", metav1.CauseTypeFieldValueInvalid, "is reserved")
		r.Refuse("spec", CauseLimit, "too many")
		resp := r.Response()
		want := admission.Response{}
		want.Result = &metav1.Status{
			Status: metav1.StatusFailure, Code: 422, Reason: metav1.StatusReasonInvalid,
			Message: "spec.envName: is reserved; spec: too many",
			Details: &metav1.StatusDetails{Causes: []metav1.StatusCause{
				{Type: metav1.CauseTypeFieldValueInvalid, Field: "spec.envName", Message: "is reserved"},
				{Type: "LimitExceeded", Field: "spec", Message: "too many"},
			}},
		}
		if diff := cmp.Diff(want, resp); diff != "" {
			t.Errorf("answer (-want +got):\n%s", diff)
		}
	})
}

func TestNamed(t *testing.T) {
	for name, tt := range map[string]struct {
		name, generateName string
		wantField          string
	}{
		"a name is fine":                      {name: "a"},
		"a name goes before a generated one":  {name: "a", generateName: "b-"},
		"a name that is not known is refused": {generateName: "b-", wantField: "metadata.generateName"},
		"no name at all is refused":           {wantField: "metadata.name"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &Review{}
			ok := Named(tt.name, tt.generateName, r)
			if ok != (tt.wantField == "") || r.Refused() == ok {
				t.Fatalf("Named = %t, refused %t", ok, r.Refused())
			}
			if !ok && r.causes[0].Field != tt.wantField {
				t.Errorf("the field is %q, want %q", r.causes[0].Field, tt.wantField)
			}
		})
	}
}

func TestTenant_ClaimsOfOthers_AreRefusedInTheWordsOfTheContract(t *testing.T) {
	claimant := func(name string, claims ...claim.Claim) policy.Secret {
		return policy.Secret{Claimant: claim.Claimant{Name: name, Claims: claims}}
	}
	env := claim.Claim{Kind: v1alpha1.ClaimEnv, Value: "A"}
	file := claim.Claim{Kind: v1alpha1.ClaimFile, Value: "~/a"}
	path := claim.Claim{Kind: v1alpha1.ClaimPath, Value: "db.key"}
	secret := claim.Claim{Kind: v1alpha1.ClaimName, Value: "token"}
	const advice = "; choose another, or delete that one first"
	for name, tt := range map[string]struct {
		now, before policy.Secret
		others      []policy.Secret
		want        []metav1.StatusCause
	}{
		"what nobody else has is fine":                  {now: claimant("a", env), others: []policy.Secret{claimant("b", file)}},
		"what the object had before is not judged here": {now: claimant("a", env), before: claimant("a", env), others: []policy.Secret{claimant("b", env)}},
		"the same value of another kind is no rival":    {now: claimant("a", env), others: []policy.Secret{claimant("b", claim.Claim{Kind: v1alpha1.ClaimFile, Value: "A"})}},
		"every claim that somebody has is refused once, with the words of the contract": {
			now: claimant("a", secret, path, env, file), others: []policy.Secret{claimant("b", env, file), claimant("c", secret, path, env)},
			want: []metav1.StatusCause{
				{Type: metav1.CauseTypeFieldValueDuplicate, Field: "spec.name", Message: `name already in use: "token" is claimed by c` + advice},
				{Type: metav1.CauseTypeFieldValueDuplicate, Field: "spec.path", Message: `path already in use: "db.key" is claimed by c` + advice},
				{Type: metav1.CauseTypeFieldValueDuplicate, Field: "spec.envName", Message: `environment variable already in use: "A" is claimed by b` + advice},
				{Type: metav1.CauseTypeFieldValueDuplicate, Field: "spec.filePath", Message: `file path already in use: "~/a" is claimed by b` + advice},
			},
		},
		"a claim that is new to the object is judged": {
			now: claimant("a", env, file), before: claimant("a", env), others: []policy.Secret{claimant("b", env, file)},
			want: []metav1.StatusCause{
				{Type: metav1.CauseTypeFieldValueDuplicate, Field: "spec.filePath", Message: `file path already in use: "~/a" is claimed by b` + advice},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := &Review{}
			Tenant(policy.Change{Secret: tt.now, Before: &tt.before}, tt.others, limits.DefaultUser().Check, r)
			if diff := cmp.Diff(tt.want, r.causes); diff != "" {
				t.Errorf("refusals (-want +got):\n%s", diff)
			}
		})
	}
}
