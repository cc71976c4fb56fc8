// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package sealing

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/policy/claim"
)

// contests are the words of the REST contracts for a claim that another object has.
var contests = map[v1alpha1.ClaimKind]struct{ field, message string }{
	v1alpha1.ClaimName: {"spec.name", "name already in use"},
	v1alpha1.ClaimPath: {"spec.path", "path already in use"},
	v1alpha1.ClaimEnv:  {"spec.envName", "environment variable already in use"},
	v1alpha1.ClaimFile: {"spec.filePath", "file path already in use"},
}

// Contest refuses the claims of now that others have and before had not. A claim
// that stays as it was is the controllers' to judge, so that an object that lost
// one can still be changed.
func Contest(now, before claim.Claimant, others []claim.Claimant, review *Review) {
	for _, c := range now.Claims {
		if before.Has(c) {
			continue
		}
		for _, o := range others {
			if o.Name != now.Name && o.Has(c) {
				contest := contests[c.Kind]
				review.Refuse(contest.field, metav1.CauseTypeFieldValueDuplicate,
					fmt.Sprintf("%s: %q is claimed by %s; choose another, or delete that one first", contest.message, c.Value, o.Name))
				break
			}
		}
	}
}
