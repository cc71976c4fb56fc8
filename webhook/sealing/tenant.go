// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package sealing

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/latchkey-dev/latchkey/internal/policy"
	"github.com/latchkey-dev/latchkey/internal/policy/claim"
)

// Tenant refuses a change that claims what another object of the tenant holds, or that
// exceeds the limits. The controllers decide about claims that do not change.
func Tenant(change policy.Change, others []policy.Secret, limit policy.Limit, review *Review) {
	verdict := policy.Judge([]policy.Change{change}, others, limit)
	for _, c := range verdict.Conflicts {
		words := claim.WordsOf(c.Claim.Kind)
		review.Refuse(words.Field, metav1.CauseTypeFieldValueDuplicate,
			fmt.Sprintf("%s: %q is claimed by %s; choose another, or delete that one first", words.InUse(), c.Claim.Value, c.Holder))
	}
	if verdict.Excess != nil {
		review.Refuse("spec", CauseLimit, verdict.Excess.Error())
	}
}
