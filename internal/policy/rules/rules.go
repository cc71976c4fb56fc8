// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package rules owns what each field of a user secret may contain, and which variables
// and files are projected into pods (Targets). It is pure and imports the standard
// library only, so that the REST dialect and admission refuse the same things with the
// same texts.
//
// Every function returns "" for what is allowed, and otherwise the first rule that
// fails, as a sentence for the sender. The order of the rules and their texts are those
// of the user-secrets REST contract; clients show them unchanged. No sentence repeats a
// value.
package rules

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Bounds of the fields, in bytes.
const (
	MaxNameBytes        = 253
	MaxValueBytes       = 24576
	MaxEnvNameBytes     = 256
	MaxFilePathBytes    = 4096
	MaxDescriptionBytes = 4096
)

// EnvNamePattern is the form of an environment variable name: an identifier of
// ASCII letters, digits and underscores.
const EnvNamePattern = `^[a-zA-Z_][a-zA-Z0-9_]*$`

var envNameForm = regexp.MustCompile(EnvNamePattern)

// reservedEnvNames are the variables that a shell, an SSH session or a
// workspace's own tools depend on. Sorted, upper case.
var reservedEnvNames = []string{
	"BASH_ENV", "CDPATH", "CS_DISABLE_GETTING_STARTED_OVERRIDE", "EDITOR", "ENV", "HOME", "HOSTNAME", "IFS",
	"LANG", "LOGNAME", "OLDPWD", "PAGER", "PATH", "PWD", "SHELL", "SSH_AUTH_SOCK", "SSH_CLIENT",
	"SSH_CONNECTION", "SSH_TTY", "TEMP", "TERM", "TMP", "TMPDIR", "USER", "VISUAL", "VSCODE_PROXY_URI",
	"XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR", "XDG_STATE_HOME",
}

// systemEnvPrefixes change how the locale or the dynamic linker behaves.
var systemEnvPrefixes = []string{"LC_", "LD_", "DYLD_"}

// reservedEnvPrefixes are these and that of git.
var reservedEnvPrefixes = slices.Concat([]string{"GIT_"}, systemEnvPrefixes)

// Name checks the documented name of a secret, which clients use in paths.
func Name(name string) string {
	trimmed := strings.TrimSpace(name)
	switch {
	case trimmed == "":
		return "Name is required."
	case trimmed != name:
		return "Name must not have leading or trailing whitespace."
	case strings.ContainsAny(name, "/?#"):
		return "Name must not contain /, ?, or #."
	case name == "." || name == "..":
		return "Name must not be . or .., which no client can address."
	case strings.Contains(name, "\x00"):
		return "Name must not contain null bytes."
	case !utf8.ValidString(name):
		return "Name must be valid UTF-8."
	case len(name) > MaxNameBytes:
		return fmt.Sprintf("Name must not exceed %d bytes.", MaxNameBytes)
	}
	return ""
}

// Value checks the value of a secret. On create, an empty value means that the caller
// forgot it; later it is allowed.
func Value[T ~string | ~[]byte](value T, create bool) string {
	if create && len(value) == 0 {
		return "Value is required."
	}
	for i := range len(value) {
		if value[i] == 0 {
			return "secret value must not contain null bytes"
		}
	}
	if len(value) > MaxValueBytes {
		return fmt.Sprintf("secret value must not exceed %d bytes", MaxValueBytes)
	}
	return ""
}

// EnvName checks the environment variable that a secret claims; "" claims none.
func EnvName(name string) string {
	if name == "" {
		return ""
	}
	if len(name) > MaxEnvNameBytes {
		return fmt.Sprintf("environment variable name must not exceed %d bytes", MaxEnvNameBytes)
	}
	if !envNameForm.MatchString(name) {
		return "must start with a letter or underscore, followed by letters, digits, or underscores"
	}
	return reserved(strings.ToUpper(name))
}

// SystemEnvName reports whether programs depend on a variable, given in upper case.
// These are all reserved variables except those that begin with GIT_ or CODER_: for an
// agent, GIT_TOKEN is an ordinary secret.
func SystemEnvName(upper string) bool {
	return reservedName(upper) || slices.ContainsFunc(systemEnvPrefixes, func(p string) bool { return strings.HasPrefix(upper, p) })
}

func reservedName(upper string) bool {
	_, found := slices.BinarySearch(reservedEnvNames, upper)
	return found
}

func reserved(upper string) string {
	if reservedName(upper) {
		return upper + " is a reserved environment variable name"
	}
	if upper == "CODER" || strings.HasPrefix(upper, "CODER_") {
		return "environment variable names starting with CODER_ are reserved for internal use"
	}
	for _, prefix := range reservedEnvPrefixes {
		if strings.HasPrefix(upper, prefix) {
			return "environment variables starting with " + prefix + " are reserved"
		}
	}
	return ""
}

// FilePath checks the file that a secret claims; "" claims none. A valid path may still
// be impossible as a file, for example if it is a directory; the projection reports
// that.
func FilePath(path string) string {
	switch {
	case path == "":
		return ""
	case !strings.HasPrefix(path, "~/") && !strings.HasPrefix(path, "/"):
		return "file path must start with ~/ or /"
	case strings.Contains(path, "\x00"):
		return "file path must not contain null bytes"
	case len(path) > MaxFilePathBytes:
		return fmt.Sprintf("file path must not exceed %d bytes", MaxFilePathBytes)
	}
	return ""
}

// Description checks the free text that describes a secret.
func Description(text string) string {
	switch {
	case strings.Contains(text, "\x00"):
		return "description must not contain null bytes"
	case len(text) > MaxDescriptionBytes:
		return fmt.Sprintf("description must not exceed %d bytes", MaxDescriptionBytes)
	}
	return ""
}
