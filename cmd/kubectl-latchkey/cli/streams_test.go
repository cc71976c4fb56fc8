// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import "testing"

func TestPlain_OfTextThatMovesATerminal_HasNothingOfIt(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"words of any language":    {"Schlüssel für 東京 – ok\n\tnext", "Schlüssel für 東京 – ok\n\tnext"},
		"codes of a terminal":      {"a\x1b[2Jb\x1b]0;t\x07c", "a\ufffd[2Jb\ufffd]0;t\ufffdc"},
		"the same in one byte":     {"a\u009b2Jb", "a\ufffd2Jb"},
		"a return to the start":    {"bad\rgood", "bad\ufffdgood"},
		"letters that turn around": {"a\u202eb\u2066c", "a\ufffdb\ufffdc"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Plain(tt.text); got != tt.want {
				t.Errorf("Plain = %q, want %q", got, tt.want)
			}
		})
	}
}
