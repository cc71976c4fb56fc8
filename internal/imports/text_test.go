// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package imports

import (
	"strings"
	"testing"
	"unicode/utf16"
)

// files is one content, A and then B, in each format.
var files = map[string]string{
	Env:  "# c\nA=1\n\nB='x y'\n",
	JSON: "{\n\"A\": \"1\",\n\n\"B\": \"x y\"\n}\n",
	YAML: "# c\nA: '1'\n\nB: x y\n",
}

var ofFiles = []string{"A=1", "B=x y"}

func TestParse_EveryKindOfLineEndAndMark_IsUnderstoodInAllFormats(t *testing.T) {
	for format, content := range files {
		lines := strings.SplitAfter(content, "\n")
		mixed := strings.TrimSuffix(lines[0], "\n") + "\r" + strings.TrimSuffix(lines[1], "\n") + "\r\n" + strings.Join(lines[2:], "")
		runImportCases(t, format, map[string]importCase{
			format + ": LF":                        {content: content, want: ofFiles},
			format + ": CRLF":                      {content: strings.ReplaceAll(content, "\n", "\r\n"), want: ofFiles},
			format + ": CR":                        {content: strings.ReplaceAll(content, "\n", "\r"), want: ofFiles},
			format + ": CR without one at the end": {content: strings.TrimSpace(strings.ReplaceAll(content, "\n", "\r")), want: ofFiles},
			format + ": all three":                 {content: mixed, want: ofFiles},
			format + ": a BOM":                     {content: bom + content, want: ofFiles},
			format + ": a BOM and CR":              {content: bom + strings.ReplaceAll(content, "\n", "\r"), want: ofFiles},
			format + ": a BOM before blank lines":  {content: bom + "\r\n\r\n" + content, want: ofFiles},
			format + ": a BOM alone":               {content: bom, wantError: noSecrets},
			format + ": a BOM and line ends":       {content: bom + "\r\r\n", wantError: noSecrets},
		})
	}
}

func TestParse_OtherEncodings_AreNamed(t *testing.T) {
	const (
		utf16Text = "secrets file is not UTF-8 text; it looks like UTF-16: save it as UTF-8"
		notUTF8   = "secrets file is not UTF-8 text: save it as UTF-8"
	)
	for format, content := range files {
		runImportCases(t, format, map[string]importCase{
			format + ": UTF-16, little endian, with its mark":    {content: "\xff\xfe" + encode(content, false), wantError: utf16Text},
			format + ": UTF-16, big endian, with its mark":       {content: "\xfe\xff" + encode(content, true), wantError: utf16Text},
			format + ": UTF-16, little endian, without":          {content: encode(content, false), wantError: utf16Text},
			format + ": UTF-16, big endian, without":             {content: encode(content, true), wantError: utf16Text},
			format + ": UTF-16 that went through a JSON encoder": {content: strings.ToValidUTF8("\xff", "\ufffd") + "\ufffd" + encode(content, false), wantError: utf16Text},
			format + ": Latin-1":                                 {content: content + "# \xe9\n", wantError: notUTF8},
		})
	}
}

func encode(text string, bigEndian bool) string {
	var out []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		if bigEndian {
			out = append(out, byte(unit>>8), byte(unit))
		} else {
			out = append(out, byte(unit), byte(unit>>8))
		}
	}
	return string(out)
}

func TestParse_LineNumbers_AreThoseOfAnEditor(t *testing.T) {
	const duplicate = `duplicate key "A" on line 4`
	for _, end := range []string{"\n", "\r\n", "\r"} {
		lines := func(all ...string) string { return strings.Join(all, end) }
		runImportCases(t, Env, map[string]importCase{
			"a key twice":    {content: lines("A=1", "", "B=2", "A=3"), wantError: duplicate},
			"a syntax error": {content: lines("A=1", "# c", "oops"), wantError: "line 3: expected KEY=VALUE but found no '='"},
		})
		runImportCases(t, YAML, map[string]importCase{
			"a key twice":                      {content: lines("A: x", "", "B: y", "A: z"), wantError: duplicate},
			"a key twice, below a block":       {content: lines("A: |", "  x", "  y", "A: z"), wantError: duplicate},
			"a key twice, below a quoted text": {content: lines("A: \"x", "", "  y\"", "A: z"), wantError: duplicate},
			"a syntax error":                   {content: lines("A: x", "B: y", "C: [z"), wantError: "invalid YAML: syntax error near line 2"},
		})
		runImportCases(t, JSON, map[string]importCase{
			"a key twice": {content: lines("{", `"A":"1",`, `"A":"2"`, "}"), wantError: `duplicate key "A"`},
		})
	}
	runImportCases(t, Env, map[string]importCase{
		"all three ends in one file": {content: "A=1\rB=2\r\nC=3\nA=4", wantError: duplicate},
	})
	runImportCases(t, YAML, map[string]importCase{
		"all three ends in one file": {content: "A: x\rB: y\r\nC: z\nA: w", wantError: duplicate},
	})
}

func TestParse_UnusualCharacters_StayOrAreRefused(t *testing.T) {
	const breaks = "invalid YAML: the characters U+0085, U+2028 and U+2029 can only be written as escapes, such as \"\\u2028\""
	runImportCases(t, Env, map[string]importCase{
		"a second BOM belongs to the key":       {content: bom + bom + "A=1", want: []string{bom + "A=1"}},
		"a BOM at the end belongs to the value": {content: "A=1" + bom, want: []string{"A=1" + bom}},
		"a BOM on a line of its own":            {content: "A=1\n" + bom, wantError: "line 2: expected KEY=VALUE but found no '='"},
		"a null is left to the field rules":     {content: "AB=1\x002", want: []string{"AB=1\x002"}},
		"other breaks are no ends of lines":     {content: "A=1\u20282\u00853\v4\f5", want: []string{"A=1\u20282\u00853\v4\f5"}},
		"a CR in quotes ends the line":          {content: "A=\"1\r2\"", wantError: "line 1: missing closing double quote"},
		"a CR that is escaped does not":         {content: `A="1\r2"`, want: []string{"A=1\r2"}},
	})
	runImportCases(t, JSON, map[string]importCase{
		"a second BOM":                      {content: bom + bom + "{}", wantError: "invalid JSON: invalid character 'ï' looking for beginning of value"},
		"a BOM at the end":                  {content: `{"A":"1"}` + bom, wantError: "invalid JSON: invalid character 'ï' looking for beginning of value"},
		"a BOM in a value":                  {content: `{"A":"1` + bom + `"}`, want: []string{"A=1" + bom}},
		"a null in a string":                {content: "{\"A\":\"1\x002\"}", wantError: `invalid JSON: invalid character '\x00' in string literal`},
		"an escaped null is for the rules":  {content: `{"A":"\u0000"}`, want: []string{"A=\x00"}},
		"an escaped CR":                     {content: `{"A":"1\r\n2"}`, want: []string{"A=1\r\n2"}},
		"a surrogate pair":                  {content: `{"A":"\ud83d\ude00"}`, want: []string{"A=😀"}},
		"half of a surrogate pair":          {content: `{"A":"x\ud83d"}`, wantError: "invalid JSON: half of a surrogate pair in a string, at byte 8"},
		"half of a surrogate pair in a key": {content: `{"\ude00":"x"}`, wantError: "invalid JSON: half of a surrogate pair in a string, at byte 3"},
		"other breaks are kept":             {content: "{\"A\":\"1\u20282\u0085\"}", want: []string{"A=1\u20282\u0085"}},
	})
	runImportCases(t, YAML, map[string]importCase{
		"a BOM at the end":          {content: "A: x\n" + bom, wantError: "invalid YAML: syntax error near line 2"},
		"a BOM in a value":          {content: "A: 'x" + bom + "y'", want: []string{"A=x" + bom + "y"}},
		"a null":                    {content: "A: x\x00y", wantError: "invalid YAML: syntax error"},
		"an escaped null":           {content: `A: "\0"`, want: []string{"A=\x00"}},
		"a line separator":          {content: "A: 'x\u2028y'", wantError: breaks},
		"a next line in a comment":  {content: "# \u0085A: x", wantError: breaks},
		"an escaped line separator": {content: `A: "\u2028\N"`, want: []string{"A=\u2028\u0085"}},
		"ends of lines in a block":  {content: "A: |\r\n  x\r\n  y\r\n", want: []string{"A=x\ny\n"}},
		"half of a surrogate pair":  {content: `A: "\ud83d"`, wantError: "invalid YAML: syntax error"},
	})
}
