// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package imports

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// importCase is a file and what becomes of it: "KEY=value" for every entry, or
// the detail of the error.
type importCase struct {
	content   string
	want      []string
	wantError string
}

func runImportCases(t *testing.T, format string, cases map[string]importCase) {
	t.Helper()
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			entries, err := Parse(format, tc.content, maxKeys)
			detail := ""
			if file := (*Error)(nil); errors.As(err, &file) {
				detail = file.Detail
			} else if err != nil {
				t.Fatalf("error of another type: %v", err)
			}
			var got []string
			for _, e := range entries {
				got = append(got, e.Key+"="+string(e.Value.Reveal()))
			}
			if err != nil {
				got = nil
			}
			if detail != tc.wantError {
				t.Errorf("detail = %q, want %q", detail, tc.wantError)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("entries (-want +got):\n%s", diff)
			}
		})
	}
}

const maxKeys = 50

// canaries are values that must show in no message: a text, and a number that a
// decoder might repeat.
var canaries = []string{"canary7f3a", "918273645546372819"}

const noSecrets = "no secrets found in file"

func TestParseEnv(t *testing.T) {
	runImportCases(t, "env", map[string]importCase{
		"a plain line":                              {content: "A=1", want: []string{"A=1"}},
		"blank and comment lines are skipped":       {content: "# c\n\n \t\n  # d=e\nA=1\n", want: []string{"A=1"}},
		"the order is kept":                         {content: "B=1\nA=2\nC=3", want: []string{"B=1", "A=2", "C=3"}},
		"CRLF ends lines and one BOM is dropped":    {content: "\ufeffA=1\r\nB=2\r\n", want: []string{"A=1", "B=2"}},
		"only one BOM is dropped":                   {content: "\ufeff\ufeffA=1", want: []string{"\ufeffA=1"}},
		"export and a blank are dropped":            {content: "export A=1\nexport\tB=2\n  export   C=3", want: []string{"A=1", "B=2", "C=3"}},
		"export without a blank is part of the key": {content: "exportA=1\nexport=2", want: []string{"exportA=1", "export=2"}},
		"export is dropped once":                    {content: "export export A=1", want: []string{"export A=1"}},
		"the first = splits":                        {content: "A=b=c==", want: []string{"A=b=c=="}},
		"key and unquoted value are trimmed":        {content: "  A \t=  1 2 \t", want: []string{"A=1 2"}},
		"nothing is expanded and # is kept":         {content: "A=$HOME/${X} `id` # kept", want: []string{"A=$HOME/${X} `id` # kept"}},
		"an unquoted backslash is literal":          {content: `A=a\nb`, want: []string{`A=a\nb`}},
		"a quote inside an unquoted value is kept":  {content: `A=it's "x"`, want: []string{`A=it's "x"`}},
		"an empty value is left to the field rules": {content: "A=\nB=\"\"\nC=''", want: []string{"A=", "B=", "C="}},
		"a double-quoted value knows five escapes":  {content: `A="\n\t\r\\\""`, want: []string{"A=\n\t\r\\\""}},
		"other escapes stay as written":             {content: `A="\z\0\'\é\$"`, want: []string{`A=\z\0\'\é\$`}},
		"an escaped backslash does not escape":      {content: `A="a\\"`, want: []string{`A=a\`}},
		"a double-quoted value keeps blanks and #":  {content: `A=" # x "  `, want: []string{`A= # x `}},
		"a single-quoted value is literal":          {content: `A='a\nb\'`, want: []string{`A=a\nb\`}},
		"the other quote is literal inside quotes":  {content: `A="it's"` + "\n" + `B='"'`, want: []string{`A=it's`, `B="`}},
		"a key may be anything":                     {content: "my key/1=v", want: []string{"my key/1=v"}},
		"a comment sign in a key is no comment":     {content: "A#B=v", want: []string{"A#B=v"}},
		"a file of comments":                        {content: "# a\n#b", wantError: noSecrets},
		"a blank file":                              {content: " \r\n\t", wantError: noSecrets},
		"a BOM alone":                               {content: "\ufeff", wantError: noSecrets},
		"a line without =":                          {content: "A=1\n\nsecret", wantError: "line 3: expected KEY=VALUE but found no '='"},
		"export alone":                              {content: "export ", wantError: "line 1: expected KEY=VALUE but found no '='"},
		"a line without key":                        {content: "# c\n =secret", wantError: "line 2: missing key before '='"},
		"export without key":                        {content: "export =secret", wantError: "line 1: missing key before '='"},
		"a double quote that does not close":        {content: `A="secret`, wantError: "line 1: missing closing double quote"},
		"a double quote that is escaped":            {content: `A="secret\"`, wantError: "line 1: missing closing double quote"},
		"a backslash at the end of a line":          {content: `A="secret\`, wantError: "line 1: missing closing double quote"},
		"a single quote that does not close":        {content: "A='", wantError: "line 1: missing closing single quote"},
		"values do not span lines":                  {content: "A=\"a\nb\"", wantError: "line 1: missing closing double quote"},
		"data after a double quote":                 {content: `A="a" # secret`, wantError: "line 1: unexpected data after closing double quote"},
		"data after a single quote":                 {content: "A='it''s'", wantError: "line 1: unexpected data after closing single quote"},
		"a key twice":                               {content: "A=1\nB=2\n\nA=3", wantError: `duplicate key "A" on line 4`},
		"a key twice, spelt differently":            {content: "A=1\nexport A =2", wantError: `duplicate key "A" on line 2`},
		"keys differ in case":                       {content: "A=1\na=2", want: []string{"A=1", "a=2"}},
		"a syntax error is told before a duplicate": {content: "A=1\nA=2\nsecret", wantError: "line 3: expected KEY=VALUE but found no '='"},
		"51 keys": {content: strings.Repeat("A=1\n", 51), wantError: "secrets file contains 51 secrets, which exceeds the maximum of 50 secrets per user"},
		"a syntax error is told before the number":   {content: strings.Repeat("A=1\n", 51) + "B", wantError: "line 52: expected KEY=VALUE but found no '='"},
		"a long key is cut in the message":           {content: strings.Repeat(strings.Repeat("k", 300)+"=1\n", 2), wantError: `duplicate key "` + strings.Repeat("k", 253) + `…" on line 2`},
		"a key that breaks a line is quoted as such": {content: "A\"\x01=1\nA\"\x01=2", wantError: `duplicate key "A\"\x01" on line 2`},
	})
}

func TestParseJSON(t *testing.T) {
	const notObject = "JSON content must be an object mapping secret names to string values"
	runImportCases(t, "json", map[string]importCase{
		"an object of strings in its order":     {content: `{"B":"1","A":"a=b#c","C":"\u00e9\n"}`, want: []string{"B=1", "A=a=b#c", "C=é\n"}},
		"white space around it":                 {content: " \n{ \"A\" : \"1\" }\r\n ", want: []string{"A=1"}},
		"keys are not trimmed":                  {content: `{" A ":"1"}`, want: []string{" A =1"}},
		"an empty key is left to the rules":     {content: `{"":"1"}`, want: []string{"=1"}},
		"an empty value is left to the rules":   {content: `{"A":""}`, want: []string{"A="}},
		"an empty object":                       {content: `{}`, wantError: noSecrets},
		"a blank file":                          {content: "\n ", wantError: noSecrets},
		"an array":                              {content: `["secret"]`, wantError: notObject},
		"a string":                              {content: `"secret"`, wantError: notObject},
		"null":                                  {content: `null`, wantError: notObject},
		"a number too large for any type":       {content: `918273645546372819e99999`, wantError: notObject},
		"a number":                              {content: `{"A":1e99999}`, wantError: `value for key "A" must be a string`},
		"a boolean":                             {content: `{"A":true}`, wantError: `value for key "A" must be a string`},
		"a null value":                          {content: `{"A":null}`, wantError: `value for key "A" must be a string`},
		"an object in it":                       {content: `{"A":{"x":"secret"}}`, wantError: `value for key "A" must be a string, not a nested object or array`},
		"an array in it":                        {content: `{"A":["secret"]}`, wantError: `value for key "A" must be a string, not a nested object or array`},
		"nesting without end":                   {content: `{"A":` + strings.Repeat("[", 1<<19), wantError: `value for key "A" must be a string, not a nested object or array`},
		"a key twice":                           {content: `{"A":"1","B":"2","A":"3"}`, wantError: `duplicate key "A"`},
		"a key twice, spelt differently":        {content: `{"A":"1","\u0041":"3"}`, wantError: `duplicate key "A"`},
		"a second object":                       {content: `{"A":"1"} {"B":"secret"}`, wantError: "unexpected trailing data after JSON object"},
		"a second value":                        {content: `{"A":"1"}7`, wantError: "unexpected trailing data after JSON object"},
		"half an object after the first":        {content: `{"A":"1"} {`, wantError: "invalid JSON: unexpected EOF"},
		"a brace too many":                      {content: `{"A":"1"}}`, wantError: "invalid JSON: invalid character '}' looking for beginning of value"},
		"an object cut off after a key":         {content: `{"A":`, wantError: "invalid JSON: unexpected EOF"},
		"an object cut off in a value":          {content: `{"A":"secret`, wantError: "invalid JSON: unexpected EOF"},
		"an object cut off before its brace":    {content: `{"A":"1"`, wantError: "invalid JSON: unexpected EOF"},
		"a comma too many":                      {content: `{"A":"1",}`, wantError: "invalid JSON: invalid character '}' looking for beginning of object key string"},
		"a comma too few":                       {content: `{"A":"1" "B":"2"}`, wantError: "invalid JSON: invalid character '\"' after object key:value pair"},
		"a key that is no string":               {content: `{1:"secret"}`, wantError: "invalid JSON: invalid character '1'"},
		"a word that is no JSON":                {content: `{"A":secret}`, wantError: "invalid JSON: invalid character 's' looking for beginning of value"},
		"51 keys are told before a key twice":   {content: `{"A":"1"` + strings.Repeat(`,"A":"1"`, 50) + `}`, wantError: "secrets file contains 51 secrets, which exceeds the maximum of 50 secrets per user"},
		"a value that is no string goes before": {content: `{"A":"1","A":2}`, wantError: `value for key "A" must be a string`},
	})
}

func TestParseYAML(t *testing.T) {
	const (
		single   = "YAML content must be a single document mapping secret names to string values"
		mapping  = "YAML content must be a mapping of secret names to string values"
		keys     = "YAML keys must be strings"
		literal  = `value for key "A" must be a string (quote the value if it is numeric or boolean)`
		nested   = `value for key "A" must be a string, not a nested mapping or sequence`
		unquoted = "invalid YAML: an unquoted * begins an alias, and YAML aliases are not supported"
	)
	bomb := "A: &l0 [x,x,x,x,x,x,x,x,x]\n"
	for i := range 9 {
		bomb += fmt.Sprintf("L%d: &l%d [*l%d,*l%d,*l%d,*l%d]\n", i, i+1, i, i, i, i)
	}
	runImportCases(t, "yaml", map[string]importCase{
		"a mapping of strings in its order":      {content: "# c\nB: one\nA: \"two\"\nC: 'a=b#c'", want: []string{"B=one", "A=two", "C=a=b#c"}},
		"a flow mapping":                         {content: "{A: x, B: '2'}", want: []string{"A=x", "B=2"}},
		"JSON is YAML":                           {content: `{"A":"1","B":"\u00e9"}`, want: []string{"A=1", "B=é"}},
		"block scalars":                          {content: "A: |\n  a\n  b\nB: >-\n  c\n  d\n", want: []string{"A=a\nb\n", "B=c d"}},
		"a document start and end":               {content: "---\nA: x\n...\n", want: []string{"A=x"}},
		"words that other versions call boolean": {content: "A: yes\nB: off", want: []string{"A=yes", "B=off"}},
		"a tag that says string":                 {content: "A: !!str 12", want: []string{"A=12"}},
		"an anchor on a string is just a label":  {content: "A: &a x", want: []string{"A=x"}},
		"a quoted number as key":                 {content: "'1': x", want: []string{"1=x"}},
		"an empty string is left to the rules":   {content: "A: ''", want: []string{"A="}},
		"a file of comments":                     {content: "# a\n# b", wantError: noSecrets},
		"an empty mapping":                       {content: "{}", wantError: noSecrets},
		"a sequence":                             {content: "- secret", wantError: mapping},
		"a scalar":                               {content: "just secret", wantError: mapping},
		"an empty document":                      {content: "---\n", wantError: mapping},
		"a second mapping":                       {content: "A: x\n---\nB: secret", wantError: single},
		"a second scalar":                        {content: "A: x\n---\nsecret\n", wantError: single},
		"a trailing separator":                   {content: "A: x\n---\n", wantError: single},
		"an integer":                             {content: "A: 918273645546372819", wantError: literal},
		"a float":                                {content: "A: 1.5", wantError: literal},
		"a boolean":                              {content: "A: true", wantError: literal},
		"a null":                                 {content: "A: null", wantError: literal},
		"nothing after the colon":                {content: "A:", wantError: literal},
		"a date":                                 {content: "A: 2026-01-02", wantError: literal},
		"a tag that says integer":                {content: "A: !!int 'secret'", wantError: literal},
		"a tag that says binary":                 {content: "A: !!binary c2VjcmV0", wantError: literal},
		"a tag of its own":                       {content: "A: !x secret", wantError: literal},
		"a mapping in it":                        {content: "A:\n  b: secret", wantError: nested},
		"a sequence in it":                       {content: "A: [secret]", wantError: nested},
		"an alias":                               {content: "B: &a secret\nA: *a", wantError: `value for key "A" must be a literal string; YAML aliases are not supported`},
		"an alias of a mapping, never expanded":  {content: bomb, wantError: nested},
		"an alias as key":                        {content: "A: &a x\n*a : secret", wantError: keys},
		"an alias without anchor":                {content: "A: *secret", wantError: unquoted},
		"an integer as key":                      {content: "1: secret", wantError: keys},
		"a boolean as key":                       {content: "true: secret", wantError: keys},
		"a null as key":                          {content: "~: secret", wantError: keys},
		"a sequence as key":                      {content: "? [a]\n: secret", wantError: keys},
		"a merge key":                            {content: "<<: secret", wantError: keys},
		"a key twice":                            {content: "A: x\nB: |\n  l\nA: y", wantError: `duplicate key "A" on line 4`},
		"a flow that does not close":             {content: "A: [secret", wantError: "invalid YAML: syntax error near line 1"},
		"a tab for a blank":                      {content: "A: x\n\tB: secret", wantError: "invalid YAML: syntax error near line 2"},
		"a quote that does not close":            {content: "A: \"secret", wantError: "invalid YAML: syntax error"},
		"a syntax error in a second document":    {content: "A: x\n---\nB: [secret", wantError: "invalid YAML: syntax error near line 2"},
		"51 keys":                                {content: strings.Repeat("A: x\n", 51), wantError: "secrets file contains 51 secrets, which exceeds the maximum of 50 secrets per user"},
		"nesting without end in flow":            {content: "A: " + strings.Repeat("[", 1<<19), wantError: "invalid YAML: syntax error"},
		"nesting without end in blocks":          {content: strings.Repeat("- ", 1<<19), wantError: "invalid YAML: syntax error"},
	})
}

func TestParseFile(t *testing.T) {
	exact := "A=" + strings.Repeat("v", 1<<20-2)
	for name, tc := range map[string]struct {
		format, content string
		wantError       string
	}{
		"a file of just 1 MiB":                 {"env", exact, ""},
		"a file over 1 MiB":                    {"env", exact + "v", "secrets file exceeds the maximum allowed size of 1048576 bytes"},
		"the size is told before the format":   {"toml", exact + "v", "secrets file exceeds the maximum allowed size of 1048576 bytes"},
		"no format":                            {"", "A=1", "a secrets file format is required"},
		"an unknown format":                    {"toml", "A=1", `unknown secrets file format "toml"`},
		"a format in upper case":               {"JSON", "{}", `unknown secrets file format "JSON"`},
		"a format with a blank":                {" env", "A=1", `unknown secrets file format " env"`},
		"the format is told before emptiness":  {"toml", "", `unknown secrets file format "toml"`},
		"a format that looks like a file":      {"TOKEN=secret", "env", `unknown secrets file format, use "env", "json" or "yaml"`},
		"a format that is longer than any":     {strings.Repeat("s", 33), "env", `unknown secrets file format, use "env", "json" or "yaml"`},
		"emptiness is told before the grammar": {"json", " ", noSecrets},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse(tc.format, tc.content, maxKeys)
			detail := ""
			if file := (*Error)(nil); errors.As(err, &file) {
				detail = file.Detail
			}
			if detail != tc.wantError {
				t.Errorf("detail = %q, want %q", detail, tc.wantError)
			}
		})
	}
}

// quotedKey is the part of a message that repeats a key, as the contract wants.
var quotedKey = regexp.MustCompile(`key "(\\.|[^"\\])*"`)

// fuzzParser looks for a panic, for a result that breaks what the handler
// relies on, and for a message that repeats what stands outside a key.
func fuzzParser(f *testing.F, format string, seeds ...[2]string) {
	for _, seed := range seeds {
		f.Add(seed[0], seed[1], false)
		f.Add(seed[0], seed[1], true)
	}
	f.Fuzz(func(t *testing.T, before, after string, number bool) {
		canary := canaries[0]
		if number {
			canary = canaries[1]
		}
		entries, err := Parse(format, before+canary+after, maxKeys)
		if err == nil {
			checkEntries(t, entries)
			return
		}
		file := (*Error)(nil)
		if !errors.As(err, &file) {
			t.Fatalf("error of another type: %T", err)
		}
		if strings.Contains(quotedKey.ReplaceAllString(file.Detail, ""), canary) {
			t.Errorf("the message repeats the value: %s", file.Detail)
		}
	})
}

func checkEntries(t *testing.T, entries []Entry) {
	t.Helper()
	if len(entries) == 0 || len(entries) > maxKeys {
		t.Errorf("%d entries", len(entries))
	}
	seen := map[string]bool{}
	for i, e := range entries {
		if seen[e.Key] {
			t.Errorf("key %d stands twice", i)
		}
		seen[e.Key] = true
		if name := e.EnvName(); name != "" && name != e.Key {
			t.Errorf("entry %d has another variable than its key", i)
		}
	}
}

func FuzzImportEnv(f *testing.F) {
	fuzzParser(f, Env, [2]string{"A=", ""}, [2]string{"export A='", "'"}, [2]string{`A="\n`, `"`}, [2]string{"", "\n"},
		[2]string{"=", ""}, [2]string{"A=\"", ""}, [2]string{"A='x' ", ""}, [2]string{"\ufeffA=1\r\n", "=A"})
}

func FuzzImportJSON(f *testing.F) {
	fuzzParser(f, JSON, [2]string{`{"A":"`, `"}`}, [2]string{`{"A":`, `}`}, [2]string{`{"A":[`, `]}`}, [2]string{"", ""},
		[2]string{`{"A":"1"}`, ""}, [2]string{`{"A":"\`, `"}`}, [2]string{`{"A":"x","A":"`, `"}`})
}

func FuzzImportYAML(f *testing.F) {
	fuzzParser(f, YAML, [2]string{"A: ", ""}, [2]string{"A: *", ""}, [2]string{"A: &", " x"}, [2]string{"A: !", " x"},
		[2]string{"A: |\n  ", "\n"}, [2]string{"A: [", ""}, [2]string{"%TAG ! ", "\n---\nA: !x y"}, [2]string{"A: x\n---\n", ""},
		[2]string{"? {", "}\n: x"}, [2]string{"<<: *", ""}, [2]string{"A: !!int ", ""})
}
