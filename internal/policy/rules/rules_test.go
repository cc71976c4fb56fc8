// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"slices"
	"strings"
	"testing"
)

func TestName(t *testing.T) {
	const (
		required   = "Name is required."
		whitespace = "Name must not have leading or trailing whitespace."
		separators = "Name must not contain /, ?, or #."
	)
	for name, tc := range map[string]struct{ in, want string }{
		"a plain name is fine":                             {"github-token", ""},
		"inner blanks, percent and backslash are fine":     {`my %41 \token`, ""},
		"three dots are a name":                            {"...", ""},
		"253 bytes fit":                                    {strings.Repeat("a", 253), ""},
		"an empty name is missing":                         {"", required},
		"a name of Unicode white space is missing":         {"\u00a0\t\u2003", required},
		"a leading blank is refused":                       {" a", whitespace},
		"a trailing no-break space is refused":             {"a\u00a0", whitespace},
		"white space is told before separators":            {"a/ ", whitespace},
		"a slash is refused":                               {"a/b", separators},
		"a question mark is refused":                       {"a?b", separators},
		"a number sign is refused":                         {"a#b", separators},
		"a single dot cannot be addressed":                 {".", "Name must not be . or .., which no client can address."},
		"two dots cannot be addressed":                     {"..", "Name must not be . or .., which no client can address."},
		"a null byte is refused":                           {"a\x00b", "Name must not contain null bytes."},
		"bytes that are no UTF-8 are refused":              {"a\xffb", "Name must be valid UTF-8."},
		"254 bytes are too many":                           {strings.Repeat("a", 254), "Name must not exceed 253 bytes."},
		"bytes are counted, not characters":                {strings.Repeat("é", 127), "Name must not exceed 253 bytes."},
		"a separator is told before the length of a name":  {strings.Repeat("/", 300), separators},
		"a null byte alone is not white space but refused": {"\x00", "Name must not contain null bytes."},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Name(tc.in); got != tc.want {
				t.Errorf("Name(%q) = %q, want %q", tc.in, got, tc.want)
			}
		})
	}
}

func TestValue(t *testing.T) {
	const (
		null = "secret value must not contain null bytes"
		long = "secret value must not exceed 24576 bytes"
	)
	for name, tc := range map[string]struct {
		in     string
		create bool
		want   string
	}{
		"a blank is a value":                          {" ", true, ""},
		"24576 bytes fit":                             {strings.Repeat("a", 24576), true, ""},
		"an empty value is missing on create":         {"", true, "Value is required."},
		"an empty value is a value on update":         {"", false, ""},
		"a null byte is refused":                      {"a\x00", false, null},
		"24577 bytes are too many":                    {strings.Repeat("a", 24577), false, long},
		"bytes are counted, not characters":           {strings.Repeat("é", 12289), true, long},
		"a null byte is told before the length":       {strings.Repeat("a", 30000) + "\x00", true, null},
		"bytes that are no UTF-8 are a value as well": {"\xff\xfe", true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Value(tc.in, tc.create); got != tc.want {
				t.Errorf("Value of a string = %q, want %q", got, tc.want)
			}
			if got := Value([]byte(tc.in), tc.create); got != tc.want {
				t.Errorf("Value of bytes = %q, want %q", got, tc.want)
			}
		})
	}
}

func TestEnvName(t *testing.T) {
	const (
		form  = "must start with a letter or underscore, followed by letters, digits, or underscores"
		coder = "environment variable names starting with CODER_ are reserved for internal use"
	)
	for name, tc := range map[string]struct{ in, want string }{
		"no name is fine":                         {"", ""},
		"an identifier is fine":                   {"_a1B", ""},
		"256 bytes fit":                           {strings.Repeat("A", 256), ""},
		"257 bytes are too many":                  {strings.Repeat("A", 257), "environment variable name must not exceed 256 bytes"},
		"the length is told before the form":      {strings.Repeat("-", 257), "environment variable name must not exceed 256 bytes"},
		"a leading digit is refused":              {"1A", form},
		"a trailing newline is refused":           {"A\n", form},
		"a letter beyond ASCII is refused":        {"CLÉ", form},
		"a reserved name is refused":              {"PATH", "PATH is a reserved environment variable name"},
		"reserved names are told in upper case":   {"Xdg_Data_Home", "XDG_DATA_HOME is a reserved environment variable name"},
		"a longer name than a reserved one is ok": {"PATHS", ""},
		"CODER is refused":                        {"CODER", coder},
		"coder_ in any case is refused":           {"cOder_x", coder},
		"CODERX is fine":                          {"CODERX", ""},
		"git's own names are refused":             {"git_dir", "environment variables starting with GIT_ are reserved"},
		"the locale's names are refused":          {"LC_ALL", "environment variables starting with LC_ are reserved"},
		"the linker's names are refused":          {"LD_PRELOAD", "environment variables starting with LD_ are reserved"},
		"the other linker's names are refused":    {"DYLD_X", "environment variables starting with DYLD_ are reserved"},
		"a prefix without underscore is fine":     {"GIT", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := EnvName(tc.in); got != tc.want {
				t.Errorf("EnvName(%q) = %q, want %q", tc.in, got, tc.want)
			}
		})
	}
}

func TestEveryReservedEnvNameIsRefused(t *testing.T) {
	contract := strings.Fields(`PATH HOME SHELL USER LOGNAME PWD OLDPWD LANG TERM IFS CDPATH ENV BASH_ENV TMPDIR TMP TEMP
		HOSTNAME SSH_AUTH_SOCK SSH_CLIENT SSH_CONNECTION SSH_TTY EDITOR VISUAL PAGER VSCODE_PROXY_URI
		CS_DISABLE_GETTING_STARTED_OVERRIDE XDG_RUNTIME_DIR XDG_CONFIG_HOME XDG_DATA_HOME XDG_CACHE_HOME XDG_STATE_HOME`)
	slices.Sort(contract)
	if !slices.Equal(reservedEnvNames, contract) {
		t.Errorf("reservedEnvNames = %q, want %q, sorted", reservedEnvNames, contract)
	}
	for _, name := range contract {
		want := name + " is a reserved environment variable name"
		if got := EnvName(strings.ToLower(name)); got != want {
			t.Errorf("EnvName(%q) = %q, want %q", strings.ToLower(name), got, want)
		}
	}
}

func TestSystemEnvName(t *testing.T) {
	for name, want := range map[string]bool{
		"PATH": true, "HOME": true, "BASH_ENV": true, "LD_PRELOAD": true, "DYLD_X": true, "LC_ALL": true,
		"PATHS": false, "LD": false, "GIT_TOKEN": false, "CODER_URL": false, "DB_PATH": false, "": false,
	} {
		if got := SystemEnvName(name); got != want {
			t.Errorf("SystemEnvName(%q) = %v, want %v", name, got, want)
		}
	}
}

func TestFilePath(t *testing.T) {
	const start = "file path must start with ~/ or /"
	for name, tc := range map[string]struct{ in, want string }{
		"no path is fine":                            {"", ""},
		"a path in the home is fine":                 {"~/.ssh/id_rsa", ""},
		"an absolute path is fine":                   {"/etc/token", ""},
		"a path that no file can have is fine":       {"~/", ""},
		"4096 bytes fit":                             {"/" + strings.Repeat("a", 4095), ""},
		"a relative path is refused":                 {"a/b", start},
		"a tilde alone is refused":                   {"~", start},
		"another user's home is refused":             {"~bob/x", start},
		"a null byte is refused":                     {"/a\x00", "file path must not contain null bytes"},
		"4097 bytes are too many":                    {"/" + strings.Repeat("a", 4096), "file path must not exceed 4096 bytes"},
		"the start is told before the null byte":     {"a\x00", start},
		"the null byte is told before the length":    {"/" + strings.Repeat("a", 5000) + "\x00", "file path must not contain null bytes"},
		"the start is told before the path's length": {strings.Repeat("a", 5000), start},
	} {
		t.Run(name, func(t *testing.T) {
			if got := FilePath(tc.in); got != tc.want {
				t.Errorf("FilePath(%q) = %q, want %q", tc.in, got, tc.want)
			}
		})
	}
}

func TestDescription(t *testing.T) {
	for name, tc := range map[string]struct{ in, want string }{
		"any text is fine":         {"line 1\nline 2 é", ""},
		"no text is fine":          {"", ""},
		"4096 bytes fit":           {strings.Repeat("a", 4096), ""},
		"4097 bytes are too many":  {strings.Repeat("a", 4097), "description must not exceed 4096 bytes"},
		"a null byte is refused":   {"a\x00", "description must not contain null bytes"},
		"the null byte goes first": {strings.Repeat("\x00", 5000), "description must not contain null bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Description(tc.in); got != tc.want {
				t.Errorf("Description = %q, want %q", got, tc.want)
			}
		})
	}
}
