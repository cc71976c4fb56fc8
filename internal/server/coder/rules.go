// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package coder

import (
	"fmt"
	"maps"
	"slices"

	"github.com/latchkey-dev/latchkey/internal/leak"
	"github.com/latchkey-dev/latchkey/internal/policy/rules"
	"github.com/latchkey-dev/latchkey/internal/seal"
	"github.com/latchkey-dev/latchkey/internal/server/store"
)

// validation is one invalid field of a request.
type validation struct {
	Field  string `json:"field"`
	Detail string `json:"detail"`
}

// findings collects the validations of a request in the contract's order: name, value,
// env_name, file_path, and description, which is our own rule.
type findings []validation

func (f *findings) add(field, detail string) {
	if detail != "" {
		*f = append(*f, validation{Field: field, Detail: detail})
	}
}

// checkNew applies the field rules to a secret to create. Fields are named with a
// prefix.
func checkNew(prefix string, s store.NewUser) findings {
	var f findings
	f.add(prefix+"name", rules.Name(s.Name))
	f.add(prefix+"value", checkValue(s.Value, true))
	f.add(prefix+"env_name", rules.EnvName(s.EnvName))
	f.add(prefix+"file_path", rules.FilePath(s.FilePath))
	f.add(prefix+"description", rules.Description(s.Description))
	f.keepOut(prefix, s.Value, map[string]*string{"name": &s.Name, "env_name": &s.EnvName, "file_path": &s.FilePath, "description": &s.Description})
	return f
}

// keepOut refuses a field that contains the value, because more people can read the
// field.
func (f *findings) keepOut(prefix string, v seal.Value, fields map[string]*string) {
	finder := leak.Of(v)
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if text := fields[name]; text != nil && finder.In(*text) {
			f.add(prefix+name, "must not hold the value, which more people can read here")
		}
	}
}

// checkAll applies the field rules to every entry of an import.
func checkAll(secrets []store.NewUser) findings {
	var f findings
	for i, s := range secrets {
		f = append(f, checkNew(entryPrefix(i), s)...)
	}
	return f
}

// checkChange applies the field rules to the fields that an update sets.
func checkChange(c store.UserChange) findings {
	var f findings
	if c.Value != nil {
		f.add("value", checkValue(*c.Value, false))
	}
	if c.EnvName != nil {
		f.add("env_name", rules.EnvName(*c.EnvName))
	}
	if c.FilePath != nil {
		f.add("file_path", rules.FilePath(*c.FilePath))
	}
	if c.Description != nil {
		f.add("description", rules.Description(*c.Description))
	}
	if c.Value != nil {
		f.keepOut("", *c.Value, map[string]*string{"env_name": c.EnvName, "file_path": c.FilePath, "description": c.Description})
	}
	return f
}

func checkValue(v seal.Value, create bool) string { return rules.Value(v.Reveal(), create) }

// entryPrefix is the prefix of the field names of one entry of an import.
func entryPrefix(i int) string { return fmt.Sprintf("secrets[%d].", i) }

// invalid returns the error for findings, or nil.
func invalid(f findings) error {
	if len(f) == 0 {
		return nil
	}
	return &invalidError{validations: f}
}
