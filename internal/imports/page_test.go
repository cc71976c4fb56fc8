// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package imports

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// example is a file of the manual page, and the result that stands below it.
var example = regexp.MustCompile("(?s)```(env|json|yaml)\n(.*?\n)```\n\n```result\n(.*?\n)```\n")

func TestPage_ItsExamples_AreTrue(t *testing.T) {
	page, err := os.ReadFile("../../docs/import.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := example.FindAllStringSubmatch(string(page), -1)
	if results := strings.Count(string(page), "```result\n"); len(examples) != results || results == 0 {
		t.Fatalf("%d of %d results stand below a file", len(examples), results)
	}
	of := map[string]int{}
	for _, e := range examples {
		format, content, want := e[1], e[2], e[3]
		of[format]++
		t.Run(fmt.Sprintf("%s %d", format, of[format]), func(t *testing.T) {
			if diff := cmp.Diff(want, result(t, format, content)); diff != "" {
				t.Errorf("result (-page +parser):\n%s", diff)
			}
		})
	}
	for _, format := range []string{Env, JSON, YAML} {
		if of[format] < 2 {
			t.Errorf("the page shows %d files of format %s, want one that is taken and one that is refused", of[format], format)
		}
	}
}

// result is what the page says of a file.
func result(t *testing.T, format, content string) string {
	t.Helper()
	entries, err := Parse(format, content, maxKeys)
	if refused := (*Error)(nil); errors.As(err, &refused) {
		return refused.Detail + "\n"
	} else if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, e := range entries {
		fmt.Fprintf(&out, "%s = %q\n", e.Key, e.Value.Reveal())
	}
	return out.String()
}
