// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package fixes

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
)

// reasons are those of Ready=False.
var reasons = []string{
	v1alpha1.ReasonConflict, v1alpha1.ReasonUnsealable, v1alpha1.ReasonKeyNotFound, v1alpha1.ReasonSourceNotFound,
	v1alpha1.ReasonSourceNotApproved, v1alpha1.ReasonInvalidValue, v1alpha1.ReasonNotAVariable, v1alpha1.ReasonTypeMismatch,
	v1alpha1.ReasonLimitExceeded, v1alpha1.ReasonPathNotProjectable, v1alpha1.ReasonTargetRefused, v1alpha1.ReasonBundleBlocked,
	v1alpha1.ReasonBundleRefused,
}

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
	for _, reason := range reasons {
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

func TestFor_Commands_NameTheObject(t *testing.T) {
	got := For(v1alpha1.ReasonSourceNotApproved, false, "bob", "token")
	for _, want := range []string{"  kubectl -n bob patch usec token --type=merge -p '{}'\n", "  kubectl -n bob replace -f token.yaml\n", "  kubectl -n bob apply --server-side -f token.yaml"} {
		if !strings.Contains(got, want) {
			t.Errorf("For lacks %q: %q", want, got)
		}
	}
	// Those of the page are samples, and would be run elsewhere.
	for _, reason := range reasons {
		for line := range strings.Lines(For(reason, false, "bob", "token")) {
			if strings.HasPrefix(line, "  ") && regexp.MustCompile(`\b(alice|db)\b`).MatchString(line) {
				t.Errorf("a command of %s is about the page's sample: %q", reason, line)
			}
		}
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
