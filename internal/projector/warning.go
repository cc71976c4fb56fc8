// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package projector

import (
	"slices"
	"strconv"
	"strings"
)

// Bounds of the warnings about one pod. The API server cuts the warnings of one request at 4 KiB in total.
const (
	maxWarnings      = 16
	maxWarningLength = 119
	maxQuoteLength   = 40
)

// warnings collects what the author of a pod should know, each thing once.
type warnings struct {
	texts []string
	more  bool
}

func (w *warnings) add(text string) {
	text = "latchkey: " + text
	if len(text) > maxWarningLength {
		text = strings.ToValidUTF8(text[:maxWarningLength], "")
	}
	switch {
	case slices.Contains(w.texts, text):
	case len(w.texts) == maxWarnings:
		w.more = true
	default:
		w.texts = append(w.texts, text)
	}
}

func (w *warnings) list() []string {
	if !w.more {
		return w.texts
	}
	return append(slices.Clip(w.texts), "latchkey: there is more of this kind that is not listed")
}

// quote prints a path for a warning, whatever its length and content. The end of a path says more than its beginning.
func quote(p string) string {
	if len(p) <= maxQuoteLength {
		return strconv.Quote(p)
	}
	return strconv.Quote("..." + strings.ToValidUTF8(p[len(p)-maxQuoteLength:], ""))
}
