// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package ui

import (
	"fmt"
	"html/template"
	"regexp"
	"strings"
	"time"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/fixes"
)

var functions = template.FuncMap{
	"ago":   func(t time.Time) string { return ago(time.Since(t)) },
	"lower": func(text any) string { return strings.ToLower(fmt.Sprint(text)) },
	"exact": func(t time.Time) string { return t.Local().Format("2 January 2006, 15:04:05 MST") },
	"iso":   func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"field": func(id, label, hint string, optional bool) formField {
		return formField{id, label, hint, "", "", optional}
	},
	"filled": func(id, label, hint, value string) formField {
		return formField{id, label, hint, value, "", true}
	},
	"slot": func(id, text string) map[string]string { return map[string]string{"ID": id, "Text": text} },
	"counted": func(n int, noun string) string {
		if n == 1 {
			return "1 " + noun
		}
		return fmt.Sprintf("%d %ss", n, noun)
	},
}

// ago says how long ago something was, as people say it.
func ago(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return "just now"
	case d < time.Minute:
		return fmt.Sprintf("%d s ago", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", d/time.Minute)
	case d < 24*time.Hour:
		return fmt.Sprintf("%d h ago", d/time.Hour)
	case d < 48*time.Hour:
		return "yesterday"
	}
	return fmt.Sprintf("%d days ago", d/(24*time.Hour))
}

type formField struct {
	ID, Label, Hint, Value, Placeholder string
	Optional                            bool
}

// state is how a secret is, in a word, a sign and a tone.
type state struct {
	Label, Icon, Tone string
	Reason, Message   string
	Fix               []block
}

// block is a paragraph or commands.
type block struct {
	Command string
	Text    []span
}

type span struct {
	Text string
	Code bool
}

var readyStates = map[string]state{
	v1alpha1.ReasonProjected:           {Label: "Projected", Icon: "check", Tone: "good"},
	v1alpha1.ReasonStoredWithoutTarget: {Label: "Stored only", Icon: "box", Tone: "calm"},
	v1alpha1.ReasonDisabled:            {Label: "Disabled", Icon: "pause", Tone: "calm"},
	v1alpha1.ReasonNoValue:             {Label: "No value", Icon: "box", Tone: "calm"},
	v1alpha1.ReasonNotAVariable:        {Label: "Projected as file", Icon: "check", Tone: "good"},
}

func stateOf(i cluster.Item) state {
	ready := i.Ready()
	switch {
	case ready == nil || ready.Status == "Unknown":
		return state{Label: "Checking", Icon: "clock", Tone: "wait", Message: "The controller has not looked at it yet."}
	case ready.Status == "True":
		s, known := readyStates[ready.Reason]
		if !known {
			s = state{Label: ready.Reason, Icon: "check", Tone: "good"}
		}
		s.Message = sentence(ready.Message)
		return s
	}
	return state{
		Label: "Not projected", Icon: "alert", Tone: "bad", Reason: ready.Reason, Message: sentence(ready.Message),
		Fix: blocks(fixes.For(ready.Reason, false, i.Meta().Namespace, i.Meta().Name)),
	}
}

// decision is the name of a decision in the repository, which is no help in a browser.
var decision = regexp.MustCompile(` \(why: [^)]*\)`)

// blocks makes paragraphs and commands of what the troubleshooting page says.
func blocks(text string) []block {
	var all []block
	paragraph := ""
	flush := func() {
		if paragraph != "" {
			all = append(all, block{Text: spans(decision.ReplaceAllString(paragraph, ""))})
		}
		paragraph = ""
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		switch {
		case line == "":
			flush()
		case strings.HasPrefix(line, "  "):
			flush()
			if n := len(all); n > 0 && all[n-1].Command != "" {
				all[n-1].Command += "\n" + line[2:]
			} else {
				all = append(all, block{Command: line[2:]})
			}
		default:
			paragraph = strings.TrimSpace(paragraph + " " + line)
		}
	}
	flush()
	return all
}

func spans(text string) []span {
	var all []span
	for n, part := range strings.Split(text, "`") {
		if part != "" {
			all = append(all, span{Text: part, Code: n%2 == 1})
		}
	}
	return all
}

// row is a secret in a list.
type row struct {
	Namespace, Name, Known, Env, File, Description string
	State                                          state
	Created                                        time.Time
	Changed                                        *time.Time
	Disabled, Source, ReadOnly                     bool
}

func (s *Server) rowOf(i cluster.Item) row {
	r := row{
		Namespace: i.Meta().Namespace, Name: i.Meta().Name, Known: i.Known(), Env: i.Env(), File: i.File(), State: stateOf(i),
		Created: i.Meta().CreationTimestamp.Time, ReadOnly: s.readOnly,
	}
	if i.User != nil {
		r.Description, r.Source = i.User.Spec.Description, i.User.Spec.ValueFrom != nil
		r.Disabled = i.User.Spec.Enabled != nil && !*i.User.Spec.Enabled
	}
	if v := i.Status().Value; v != nil && v.ChangedAt != nil {
		r.Changed = &v.ChangedAt.Time
	}
	return r
}
