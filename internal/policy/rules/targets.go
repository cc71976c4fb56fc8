// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Targets decides which variables and files are projected into pods: none through which
// the author of a secret could run code in other users' pods. A secret that is not
// projected is stored nevertheless. The installation chooses; the controller and the
// admission of pods must have the same Targets. A nil *Targets is the default.
type Targets struct {
	roots   []string
	refused patterns
	allowed patterns
}

// TargetOptions are the choices of an installation.
type TargetOptions struct {
	// Roots are the directories in which files may be, instead of the default ones:
	// absolute, or "~" and below. A root that is a refused file, or lies in a refused
	// directory, allows it.
	Roots []string
	// Refused are variables that are refused in addition to the default ones. Allowed
	// are exceptions from both. An asterisk at one end of a name matches anything.
	Refused, Allowed []string
}

var defaultTargets = &Targets{roots: defaultRoots, refused: newPatterns(refusedVariables)}

// DefaultRoots returns the directories in which files may be by default.
func DefaultRoots() []string { return slices.Clone(defaultRoots) }

var patternForm = regexp.MustCompile(`^(\*?[a-zA-Z_][a-zA-Z0-9_]*|[a-zA-Z_][a-zA-Z0-9_]*\*)$`)

// NewTargets returns the Targets for the options.
func NewTargets(o TargetOptions) (*Targets, error) {
	t := &Targets{roots: defaultRoots, refused: newPatterns(slices.Concat(refusedVariables, o.Refused)), allowed: newPatterns(o.Allowed)}
	for _, p := range slices.Concat(o.Refused, o.Allowed) {
		if !patternForm.MatchString(p) {
			return nil, fmt.Errorf("%q is not the name of a variable, with or without an asterisk at one end", p)
		}
	}
	if len(o.Roots) > 0 {
		t.roots = nil
	}
	for _, root := range o.Roots {
		place := Place(root)
		if place != "~" && !strings.HasPrefix(place, "~/") && !path.IsAbs(place) || slices.Contains(strings.Split(root, "/"), "..") {
			return nil, fmt.Errorf("%q is not an absolute path, or ~ or below it", root)
		}
		t.roots = append(t.roots, place)
	}
	return t, nil
}

func (t *Targets) orDefault() *Targets {
	if t == nil {
		return defaultTargets
	}
	return t
}

// Env returns why a variable is not projected, or "". Case does not matter, because
// some programs read names in either case.
func (t *Targets) Env(name string) (reason string) {
	t = t.orDefault()
	upper := strings.ToUpper(name)
	if !SystemEnvName(upper) && !t.refused.match(upper) || t.allowed.match(upper) {
		return ""
	}
	return upper + " is a variable that loaders, shells, interpreters or tools depend on"
}

// File returns why a file is not projected, as far as that depends on the path that the
// user wrote, or "".
func (t *Targets) File(p string) (reason string) {
	place := Place(p)
	reason = "it lies outside of the directories for files"
	for _, root := range t.orDefault().roots {
		if place == root {
			return ""
		}
		rest, found := strings.CutPrefix(place, strings.TrimSuffix(root, "/")+"/")
		if !found {
			continue
		}
		if reason = refusedName(rest); reason == "" {
			return ""
		}
	}
	return reason
}

// InHome returns why a file that the user wrote as "~/rest" is not projected into a
// container with a home, or "". A home may be a directory that also contains programs
// and their configuration; there, only hidden names belong to the home itself.
func (t *Targets) InHome(home, rest string) (reason string) {
	if rest = path.Clean(rest); strings.HasPrefix(rest, ".") {
		return ""
	}
	return t.File(path.Join(home, rest))
}

var (
	nameRefused  = set(refusedNames)
	nameAllowed  = set(allowedNames)
	belowRefused = sets(refusedBelow)
)

// refusedName returns why a name in a clean relative path is refused, or "".
func refusedName(rest string) (reason string) {
	names := strings.Split(strings.ToLower(rest), "/")
	last := len(names) - 1
	for i, name := range names {
		switch {
		case nameRefused[name],
			i > 0 && belowRefused[names[i-1]][name],
			i < last && strings.HasSuffix(name, ".d") && !nameAllowed[name]:
			return fmt.Sprintf("%s is read by shells, interpreters or tools before a program's own code", name)
		}
	}
	base := names[last]
	switch {
	case strings.HasPrefix(base, ".") && strings.HasSuffix(base, "rc") && !nameAllowed[base]:
		return fmt.Sprintf("%s is read by shells, interpreters or tools before a program's own code", base)
	case strings.Contains(base, ".so."), slices.ContainsFunc(refusedSuffixes, func(s string) bool { return strings.HasSuffix(base, s) }):
		return "it has the name of a file of code"
	}
	return ""
}

// patterns are names of variables, in upper case.
type patterns struct {
	exact              map[string]bool
	prefixes, suffixes []string
}

func newPatterns(names []string) patterns {
	p := patterns{exact: make(map[string]bool, len(names))}
	for _, name := range names {
		name = strings.ToUpper(name)
		if prefix, found := strings.CutSuffix(name, "*"); found {
			p.prefixes = append(p.prefixes, prefix)
		} else if suffix, found := strings.CutPrefix(name, "*"); found {
			p.suffixes = append(p.suffixes, suffix)
		} else {
			p.exact[name] = true
		}
	}
	return p
}

func (p patterns) match(upper string) bool {
	return p.exact[upper] ||
		slices.ContainsFunc(p.prefixes, func(s string) bool { return strings.HasPrefix(upper, s) }) ||
		slices.ContainsFunc(p.suffixes, func(s string) bool { return strings.HasSuffix(upper, s) })
}

func set(names []string) map[string]bool {
	s := make(map[string]bool, len(names))
	for _, name := range names {
		s[name] = true
	}
	return s
}

func sets(lists map[string][]string) map[string]map[string]bool {
	s := make(map[string]map[string]bool, len(lists))
	for name, list := range lists {
		s[name] = set(list)
	}
	return s
}
