// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"

	"github.com/fatih/color"
	"golang.org/x/term"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// Streams are standard input, output and error, and what they are connected with.
type Streams struct {
	genericiooptions.IOStreams
	// InTerminal, OutTerminal and ErrTerminal tell which are terminals.
	InTerminal, OutTerminal, ErrTerminal bool
	// NoColor turns colours off, also on a terminal.
	NoColor bool
}

// System returns the streams of the process.
func System() Streams {
	return Streams{
		IOStreams:   genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr},
		InTerminal:  term.IsTerminal(int(os.Stdin.Fd())),
		OutTerminal: term.IsTerminal(int(os.Stdout.Fd())),
		ErrTerminal: term.IsTerminal(int(os.Stderr.Fd())),
		NoColor:     os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb",
	}
}

// Printf writes a result.
func (s Streams) Printf(format string, args ...any) { _, _ = fmt.Fprintf(s.Out, format, args...) }

// Notice says something that is not the result.
func (s Streams) Notice(format string, args ...any) {
	_, _ = fmt.Fprintf(s.ErrOut, format+"\n", args...)
}

// Paint returns text in a colour, where results go to a terminal.
func (s Streams) Paint(attribute color.Attribute, text string) string {
	if !s.OutTerminal || s.NoColor {
		return text
	}
	c := color.New(attribute)
	c.EnableColor()
	return c.Sprint(text)
}

// Plain returns text that others wrote, such as a description, as a terminal may have it:
// what would move the cursor, change colours or turn around what is read is replaced.
func Plain(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}

// CanPrompt reports whether there is somebody to ask.
func (s Streams) CanPrompt() bool { return s.InTerminal && s.ErrTerminal }

// Confirm asks, and returns an error with code 3 unless the answer is yes. Where nobody
// can be asked, it says which flag answers.
func (s Streams) Confirm(ctx context.Context, question string) error {
	if !s.CanPrompt() {
		return Usage("standard input and error are no terminal, so nobody can be asked: add --yes")
	}
	_, _ = fmt.Fprintf(s.ErrOut, "%s [y/N] ", question)
	answer, err := interruptible(ctx, func() (string, error) { return bufio.NewReader(s.In).ReadString('\n') })
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	s.Notice("Nothing was changed.")
	return Exit(CodeRefused)
}

// prompt reads a line without echo.
func (s Streams) prompt(ctx context.Context, question string) ([]byte, error) {
	file, ok := s.In.(*os.File)
	if !ok {
		return nil, errors.New("standard input is no terminal")
	}
	fd := int(file.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return nil, err
	}
	defer func() {
		// After an interrupt the read still waits, and nobody else restores the echo.
		_ = term.Restore(fd, before)
		_, _ = fmt.Fprintln(s.ErrOut)
	}()
	// Before it asks: an answer may be pasted at once.
	if err := echoOff(fd); err != nil {
		return nil, err
	}
	_, _ = fmt.Fprint(s.ErrOut, question)
	return interruptible(ctx, func() ([]byte, error) { return typedLine(fd) })
}

// typedLine reads a line that is a whole value, or refuses it.
func typedLine(fd int) ([]byte, error) {
	text, err := term.ReadPassword(fd)
	const instead = "nothing was changed. Pipe the value to standard input, or use --value-file"
	switch {
	case err != nil:
		return nil, err
	case len(text) >= maxTyped:
		return nil, Refused("value: a terminal cuts a line after %d bytes, so this may not be all of it: %s", maxTyped, instead)
	case moreTyped(fd):
		return nil, Refused("value: it has more than one line, and a terminal gives one: %s", instead)
	}
	return text, nil
}

// Input is standard input, which ends with ctx: who is asked for a file and interrupts
// instead must not have to type one.
func (s Streams) Input(ctx context.Context) io.Reader { return input{ctx, s.In} }

type input struct {
	ctx context.Context
	in  io.Reader
}

// Read implements io.Reader.
func (i input) Read(p []byte) (int, error) {
	own := make([]byte, len(p)) // a read that is left behind may still write to it
	n, err := interruptible(i.ctx, func() (int, error) { return i.in.Read(own) })
	return copy(p, own[:n]), err
}

// interruptible runs a read that cannot be cancelled, and leaves it behind when ctx ends.
func interruptible[T any](ctx context.Context, read func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := read()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}
