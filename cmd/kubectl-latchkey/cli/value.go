// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/pflag"

	"github.com/latchkey-dev/latchkey/internal/seal"
	"github.com/latchkey-dev/latchkey/internal/typedvalue"
)

// ValueSource is where a value comes from: a prompt without echo, piped standard input,
// or a file. There is no flag for the value itself, which would lie in the shell's
// history and in the list of processes.
type ValueSource struct {
	// File is a file, or "-" for standard input.
	File string
	// Exact keeps the newline at the end of a single line.
	Exact bool
	// Keep says that there is no value.
	Keep bool
}

// AddFlags adds the flags of values.
func (v *ValueSource) AddFlags(set *pflag.FlagSet) {
	set.StringVar(&v.File, "value-file", "", "read the value from this file; - is standard input")
	set.BoolVar(&v.Exact, "exact", false, "keep the newline at the end of a single-line value from standard input")
	set.BoolVar(&v.Keep, "keep-value", false, "do not look for a value: neither on standard input nor by a prompt")
}

// Read returns the value. Where there is none, found is false; a prompt comes only if
// wanted.
func (v *ValueSource) Read(ctx context.Context, s Streams, name string, prompt bool) (value seal.Value, found bool, err error) {
	switch {
	case v.Keep && v.File != "":
		return seal.Value{}, false, Usage("--keep-value and --value-file exclude each other")
	case v.Keep:
		return seal.Value{}, false, nil
	case v.File != "" && v.File != "-":
		return v.readFile()
	case !s.InTerminal && (v.File == "-" || !isNull(s.In)):
		value, err = v.readInput(ctx, s)
		return value, err == nil, err
	case prompt && s.CanPrompt():
		text, err := s.prompt(ctx, fmt.Sprintf("Value of %s (it is not shown): ", name))
		if err != nil {
			return seal.Value{}, false, err
		}
		if len(text) == 0 {
			return seal.Value{}, false, Refused("no value was typed: nothing was changed")
		}
		return seal.NewValue(text), true, nil
	}
	return seal.Value{}, false, nil
}

func (v *ValueSource) readFile() (seal.Value, bool, error) {
	file, err := os.Open(v.File)
	if err != nil {
		return seal.Value{}, false, err
	}
	defer func() { _ = file.Close() }()
	text, err := readBounded(file)
	if err != nil {
		return seal.Value{}, false, err
	}
	if len(text) == 0 {
		return seal.Value{}, false, Refused("file %s is empty: nothing was changed", v.File)
	}
	return seal.NewValue(text), true, nil
}

func (v *ValueSource) readInput(ctx context.Context, s Streams) (seal.Value, error) {
	text, err := readBounded(s.Input(ctx))
	if err != nil {
		return seal.Value{}, err
	}
	// A program before the pipe that failed must not become an empty value, nor a change
	// of everything but the value.
	if len(text) == 0 {
		return seal.Value{}, Refused("standard input is empty: nothing was changed; --keep-value changes the rest alone")
	}
	line, one := singleLine(text)
	switch {
	case !one || v.Exact:
	case len(line) == 0:
		return seal.Value{}, Refused("standard input is an empty line: nothing was changed; --exact keeps its newline, --keep-value changes the rest alone")
	default:
		s.Notice("One newline at the end of the value was dropped; --exact keeps it.")
		text = line
	}
	return seal.NewValue(text), nil
}

// singleLine returns a text without the newline that ends it, if there is no other.
func singleLine(text []byte) ([]byte, bool) {
	line, ended := bytes.CutSuffix(text, []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	if !ended || bytes.ContainsAny(line, "\r\n") {
		return text, false
	}
	return line, true
}

// readBounded reads a little more than any value may have, so that the rules can say so.
func readBounded(r io.Reader) ([]byte, error) {
	return io.ReadAll(io.LimitReader(r, typedvalue.MaxValueBytes+2))
}

// isNull reports whether a stream is the null device, which says that there is no input.
func isNull(r io.Reader) bool {
	file, ok := r.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
