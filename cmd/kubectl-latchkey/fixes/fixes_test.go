// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package fixes

import (
	"os"
	"strings"
	"testing"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
)

func TestPage_IsTheOneOfTheDocuments(t *testing.T) {
	want, err := os.ReadFile("../../../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	if page != string(want) {
		t.Error("troubleshooting.txt differs from docs/troubleshooting.md: run make generate")
	}
}

func TestOf_EveryReasonOfNotReady_HasAFix(t *testing.T) {
	for _, reason := range []string{
		v1alpha1.ReasonConflict, v1alpha1.ReasonUnsealable, v1alpha1.ReasonKeyNotFound, v1alpha1.ReasonSourceNotFound,
		v1alpha1.ReasonSourceNotApproved, v1alpha1.ReasonInvalidValue, v1alpha1.ReasonNotAVariable, v1alpha1.ReasonTypeMismatch,
		v1alpha1.ReasonLimitExceeded, v1alpha1.ReasonPathNotProjectable, v1alpha1.ReasonTargetRefused, v1alpha1.ReasonBundleBlocked,
		v1alpha1.ReasonBundleRefused,
	} {
		got := Of(reason, false)
		if got == "" || strings.Contains(got, "](") || strings.Contains(got, "```") || strings.Contains(got, "###") {
			t.Errorf("Of(%s) = %q", reason, got)
		}
	}
}

func TestOf_PartsAndCode(t *testing.T) {
	if got := Of(v1alpha1.ReasonNotAVariable, true); !strings.HasPrefix(got, "`projected as file") || strings.Contains(got, "No container gets") {
		t.Errorf("Of(NotAVariable, true) = %q", got)
	}
	if got := Of(v1alpha1.ReasonSourceNotApproved, false); !strings.Contains(got, "  kubectl -n alice replace -f db.yaml") || strings.Contains(got, "nobody who may get Secret src") {
		t.Errorf("Of(SourceNotApproved) has not its commands alone: %q", got)
	}
	if got := Of("Nonsense", false); got != "" {
		t.Errorf("Of(Nonsense) = %q", got)
	}
}
