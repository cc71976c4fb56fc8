// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/latchkey-dev/latchkey/test/framework"
)

// updateGolden is the variable with which transcripts are written instead of compared.
const updateGolden = "UPDATE_GOLDEN"

// varying is what differs from run to run, and what stands for it. What is in the middle
// of a table keeps its width, or takes the blanks behind it along.
var varying = []struct {
	is *regexp.Regexp
	by string
}{
	{regexp.MustCompile(`lk1\.[0-9a-f]{16}\.[A-Za-z0-9_-]+`), "lk1.KEY.SEALED"},
	{regexp.MustCompile(`\b[0-9a-f]{16}\b`), "0123456789abcdef"},
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`), "UID"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`), "2026-01-02T03:04:05Z"},
	{regexp.MustCompile(`((?:resourceVersion|since)"?: )"\d+"`), `$1"1"`},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d\b([^T]|$)`), "2026-01-02$1"},
	{regexp.MustCompile(`\bv1\.\d+\.\d+[\w.+-]*`), "v1.35.0"},
	{regexp.MustCompile(`\b\d+ keys?; the newest`), "2 keys; the newest"},
	{regexp.MustCompile(`since version \d+`), "since version 1"},
	{regexp.MustCompile(`(^|[ (])\d+(m\d+)?m?s\b`), "${1}AGE"},
	{regexp.MustCompile(`\bAGE {2,}`), "AGE "},
	{regexp.MustCompile(` +(\n?)$`), "$1"},
}

// passing are lines about states that pass by themselves: they are seen where a command
// looks before the controller has acted, and not where it looks later. Other tests hold
// what they say.
var passing = regexp.MustCompile(`^! (?:Waiting: \S+ is not out of the native Secrets yet|waiting for \S+: .*)$`)

// transcript is what a person sees who runs commands in a namespace. It is compared with a
// file of testdata, where standard error is marked with "! ".
type transcript struct {
	namespace string
	text      strings.Builder
	replaced  []string
}

// newTranscript makes a namespace of a name that does not vary.
func newTranscript(ctx context.Context, namespace string) *transcript {
	GinkgoHelper()
	Expect(api.Create(ctx, framework.Namespace(namespace))).To(Succeed())
	return &transcript{namespace: namespace}
}

// hide has a text stand for another one that varies, such as a folder.
func (t *transcript) hide(text, by string) { t.replaced = append(t.replaced, text, by) }

// run runs a command with an input, and notes it.
func (t *transcript) run(ctx context.Context, stdin string, args ...string) result {
	GinkgoHelper()
	return t.note(run(ctx, t.namespace, stdin, args...), stdin, append([]string{"-n", t.namespace}, args...))
}

// runBare is run without a namespace.
func (t *transcript) runBare(ctx context.Context, stdin string, args ...string) result {
	GinkgoHelper()
	return t.note(runBare(ctx, stdin, args...), stdin, args)
}

func (t *transcript) note(got result, stdin string, args []string) result {
	t.text.WriteString("$ ")
	if stdin != "" {
		t.text.WriteString("… | ")
	}
	t.text.WriteString("kubectl latchkey")
	for _, a := range args {
		if strings.ContainsAny(a, " {}<>$*|\n") || a == "" {
			a = "'" + a + "'"
		}
		t.text.WriteString(" " + a)
	}
	t.text.WriteString("\n" + got.stdout)
	if got.stdout != "" && !strings.HasSuffix(got.stdout, "\n") {
		t.text.WriteString("(no newline)\n")
	}
	for line := range strings.Lines(got.stderr) {
		t.text.WriteString("! " + line)
	}
	_, _ = fmt.Fprintf(&t.text, "[%d]\n\n", got.code)
	return got
}

// is compares the transcript with a file.
func (t *transcript) is(name string) {
	GinkgoHelper()
	var lines strings.Builder
	for line := range strings.Lines(strings.NewReplacer(t.replaced...).Replace(t.text.String())) {
		if passing.MatchString(strings.TrimSuffix(line, "\n")) {
			continue
		}
		if !strings.HasPrefix(line, "$ ") {
			for _, v := range varying {
				line = v.is.ReplaceAllString(line, v.by)
			}
		}
		lines.WriteString(line)
	}
	text := lines.String()
	path := filepath.Join("testdata", name+".txt")
	if os.Getenv(updateGolden) != "" {
		Expect(os.WriteFile(path, []byte(text), 0o600)).To(Succeed())
	}
	want, err := os.ReadFile(path)
	Expect(err).NotTo(HaveOccurred(), "%s=1 writes it", updateGolden)
	Expect(text).To(Equal(string(want)), "%s=1 writes %s, then look at the difference", updateGolden, path)
}

// next is what an error says to do next: a command, or where it is found.
var next = regexp.MustCompile(`\bkubectl |Try: (age-keygen|ls|date) `)

// TestTranscripts_EachError_SaysWhatToDoNext holds that of every refusal that people see.
func TestTranscripts_EachError_SaysWhatToDoNext(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	errors := 0
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, run := range strings.Split(string(text), "\n\n$ ") {
			if _, said, failed := strings.Cut(run, "\n! error: "); failed {
				errors++
				said, _, _ = strings.Cut(said, "\n[")
				if !next.MatchString(said) {
					t.Errorf("%s: it does not say what to do next: %s", path, run)
				}
			}
		}
	}
	if errors < 60 {
		t.Errorf("there are only %d errors", errors)
	}
}

var heading = regexp.MustCompile(`(?m)^## (.+)$`)

// TestTranscripts_OfAllCommands_AreThere holds the promise that every command has golden
// output: the list of commands is that of the page which is generated from them.
func TestTranscripts_OfAllCommands_AreThere(t *testing.T) {
	page, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	commands := heading.FindAllStringSubmatch(string(page), -1)
	if len(commands) < 30 {
		t.Fatalf("the page has %d commands", len(commands))
	}
	for _, m := range commands {
		if m[1] == "ui" { // the page has tests of its own, in a browser
			continue
		}
		// With what came out and a code of 0, and not only with errors.
		done := regexp.MustCompile(`(?m)^\$ (?:… \| )?kubectl latchkey (?:-n \S+ )?` + m[1] + `\b.*\n(?:[^\[$].*\n)+\[[04]\]$`)
		if !done.MatchString(all.String()) {
			t.Errorf("no transcript shows what %s prints", m[1])
		}
	}
}
