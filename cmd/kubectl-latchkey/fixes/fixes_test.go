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

func TestPlain_Links_NameThePageTheyLeadTo(t *testing.T) {
	for line, want := range map[string]string{
		"([why](decisions/0027-stays.md)). With":     "(why: docs/decisions/0027-stays.md). With",
		"[Restore the key](backup.md), or set":       "Restore the key (docs/backup.md), or set",
		"see [limits](usersecret.md#limits).":        "see limits (docs/usersecret.md#limits).",
		"See [below](#notavariable-1) where":         "See below where",
		"(see [a](b.md) and [c](https://d.invalid))": "(see a (docs/b.md) and c (https://d.invalid))",
		"no link (at all)":                           "no link (at all)",
	} {
		if got := plain(line); got != want {
			t.Errorf("plain(%q) = %q, want %q", line, got, want)
		}
	}
}

func TestOf_EveryPage_IsThere(t *testing.T) {
	for _, m := range link.FindAllStringSubmatch(page, -1) {
		file, _, _ := strings.Cut(m[3], "#")
		if file == "" || strings.Contains(file, "://") {
			continue
		}
		if _, err := os.Stat("../../../docs/" + file); err != nil {
			t.Errorf("a link leads nowhere: %v", err)
		}
	}
}
