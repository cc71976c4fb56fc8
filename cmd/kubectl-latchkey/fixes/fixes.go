// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package fixes says what to do about the reason of a condition, in the words of the
// troubleshooting page. troubleshooting.txt is a copy of docs/troubleshooting.md, which a
// test holds equal: go:embed cannot leave the module's folder.
package fixes

import (
	_ "embed"
	"regexp"
	"strings"
)

//go:embed troubleshooting.txt
var page string

// link is a link of the page; one that stands in parentheses of its own keeps these.
var link = regexp.MustCompile(`(\()?\[([^\]]*)\]\(([^)]*)\)(\))?`)

// plain returns a line with its links as a terminal can have them: the words, and the page
// where there is more. A link within the page is its words alone.
func plain(line string) string {
	return link.ReplaceAllStringFunc(line, func(found string) string {
		part := link.FindStringSubmatch(found)
		before, words, to, after := part[1], part[2], part[3], part[4]
		switch {
		case strings.HasPrefix(to, "#"):
			return before + words + after
		case !strings.Contains(to, "://"):
			to = "docs/" + to
		}
		if before != "" && after != "" {
			return "(" + words + ": " + to + ")"
		}
		return before + words + " (" + to + ")" + after
	})
}

// For returns Of with the namespace and the name of an object in the commands, in the place
// of those of the page.
func For(reason string, ready bool, namespace, name string) string {
	own := strings.NewReplacer("-n alice ", "-n "+namespace+" ", "usec db ", "usec "+name+" ", "-f db.yaml", "-f "+name+".yaml")
	var text strings.Builder
	for line := range strings.Lines(Of(reason, ready)) {
		if strings.HasPrefix(line, "  ") {
			line = own.Replace(line)
		}
		text.WriteString(line)
	}
	return text.String()
}

// Of returns what the page says about a reason of Ready=True or of Ready=False; "" where
// it says nothing. Samples of messages are left out, commands are not.
func Of(reason string, ready bool) string {
	part := "## Reasons of Ready=False"
	if ready {
		part = "## Reasons of Ready=True"
	}
	var text []string
	inPart, inReason, fence := false, false, ""
	for line := range strings.Lines(page) {
		line = strings.TrimRight(line, "\n")
		switch {
		case fence != "" && line == "```":
			fence = ""
		case fence == "sample": // left out
		case fence != "":
			if inReason {
				text = append(text, "  "+line)
			}
		case strings.HasPrefix(line, "## "):
			inPart, inReason = line == part, false
		case strings.HasPrefix(line, "### "):
			inReason = inPart && line == "### "+reason
		case line == "```":
			fence = "sample"
		case strings.HasPrefix(line, "```"):
			fence = "command"
		case inReason:
			text = append(text, plain(line))
		}
	}
	joined := strings.TrimSpace(strings.Join(text, "\n"))
	for strings.Contains(joined, "\n\n\n") {
		joined = strings.ReplaceAll(joined, "\n\n\n", "\n\n")
	}
	return joined
}
