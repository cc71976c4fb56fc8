// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundler

import "testing"

func TestStaleness_SameAnswerEachTime_PausesGrow(t *testing.T) {
	var s staleness
	if got := s.next("alice"); got != soon {
		t.Errorf("the first pause is %s, want %s: the cache is usually there then", got, soon)
	}
	last := soon
	for range 20 {
		next := s.next("alice")
		if next < last || next > maxStale {
			t.Fatalf("a pause of %s follows one of %s", next, last)
		}
		last = next
	}
	if last != maxStale {
		t.Errorf("in the end the pause is %s, want %s", last, maxStale)
	}
	if got := s.next("bob"); got != soon {
		t.Errorf("another tenant waits for %s", got)
	}
	s.over("alice")
	if got := s.next("alice"); got != soon {
		t.Errorf("after a write that went through, the pause is %s", got)
	}
}
