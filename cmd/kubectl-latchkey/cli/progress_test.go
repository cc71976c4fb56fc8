// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

func TestProgress_OverTime_SaysNothingForASecondAndLittleThen(t *testing.T) {
	for name, tt := range map[string]struct {
		terminal bool
		want     string
	}{
		"in a log":      {false, "dry runs: 2 of 9\ndry runs: 5 of 9\n"},
		"on a terminal": {true, "\r\x1b[Kdry runs: 2 of 9\r\x1b[Kdry runs: 4 of 9\r\x1b[Kdry runs: 5 of 9\r\x1b[K"},
	} {
		t.Run(name, func(t *testing.T) {
			var said bytes.Buffer
			p := Streams{IOStreams: genericiooptions.IOStreams{ErrOut: &said}, ErrTerminal: tt.terminal}.Progress("dry runs")
			for i, after := range []time.Duration{900 * time.Millisecond, 1100 * time.Millisecond, 1150 * time.Millisecond, 1300 * time.Millisecond, 12 * time.Second} {
				p.now = func() time.Time { return p.began.Add(after) }
				p.Say(i+1, 9)
			}
			p.End()
			if diff := cmp.Diff(tt.want, said.String()); diff != "" {
				t.Errorf("said (-want +got):\n%s", diff)
			}
		})
	}
}
