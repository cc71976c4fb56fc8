// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package model

import (
	"maps"
	"slices"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
)

// secret is what the model knows of one object.
type secret struct {
	name  string
	agent bool
	// value is what the user wrote; for one that comes from a Secret, source names it.
	value, source string
	// key is the id of the key that the value is sealed with.
	key       string
	env, file string
	enabled   bool
	// held is whether the bundles have the value that last was, should it not be to be had.
	held hold
	last string
}

// hold reports whether a value that cannot be had is in the bundles.
type hold int

const (
	no hold = iota
	yes
	// maybe: what happened first is not known.
	maybe
)

// tenant is what the model knows of a namespace.
type tenant struct {
	namespace string
	secrets   map[string]*secret
	// sources are the values of the Secrets that values come from.
	sources map[string]string
	// foreign are the bundles' names that Secrets have which are not Latchkey's.
	foreign map[string]bool
	// lost are the sealing keys that are away, of all tenants.
	lost map[string]bool
}

// available returns the value of an object, if it can be had.
func (t *tenant) available(s *secret) (string, bool) {
	if s.source != "" {
		v, ok := t.sources[s.source]
		return v, ok
	}
	return s.value, !t.lost[s.key]
}

// places are where the value of an object is to be, by bundle.
func (s *secret) places() map[string]string {
	out := map[string]string{}
	switch {
	case !s.enabled:
	case s.agent:
		out[v1alpha1.BundleAgentEnv], out[v1alpha1.BundleAgentFiles] = s.env, s.name
	default:
		if s.env != "" {
			out[v1alpha1.BundleUserEnv] = s.env
		}
		if s.file != "" {
			out[v1alpha1.BundleUserFiles] = s.name
		}
	}
	return out
}

var bundles = []string{v1alpha1.BundleUserEnv, v1alpha1.BundleUserFiles, v1alpha1.BundleAgentEnv, v1alpha1.BundleAgentFiles}

// want returns what a bundle is to hold, the typed document left out, and keys that it may
// hold.
func (t *tenant) want(bundle string) (must, may map[string]string) {
	must, may = map[string]string{}, map[string]string{}
	for _, s := range t.secrets {
		key, ok := s.places()[bundle]
		if !ok {
			continue
		}
		value, can := t.available(s)
		switch {
		case can:
			must[key] = value
		case s.held == yes:
			must[key] = s.last
		case s.held == maybe:
			may[key] = s.last
		}
	}
	return must, may
}

// reason returns what an object's condition is to say; "" where the model does not know.
func (t *tenant) reason(s *secret) string {
	places := s.places()
	blocked := slices.ContainsFunc(slices.Collect(maps.Keys(places)), func(bundle string) bool { return t.foreign[bundle] })
	_, can := t.available(s)
	switch {
	case !s.enabled:
		return v1alpha1.ReasonDisabled
	case !can && blocked:
		return ""
	case blocked:
		return v1alpha1.ReasonBundleBlocked
	case !can && s.source != "":
		return v1alpha1.ReasonSourceNotFound
	case !can:
		return v1alpha1.ReasonKeyNotFound
	}
	return v1alpha1.ReasonProjected
}

// settled notes what the bundles hold, once all is as it is to be.
func (t *tenant) settled(has func(bundle, key string) bool) {
	for _, s := range t.secrets {
		value, can := t.available(s)
		held := no
		for bundle, key := range s.places() {
			if !t.foreign[bundle] && has(bundle, key) {
				held = yes
			}
		}
		s.held = held
		if can {
			s.last = value
		}
	}
}

// calm reports whether every value can be had, so that a bundle may be lost.
func (t *tenant) calm() bool {
	for _, s := range t.secrets {
		if _, can := t.available(s); !can {
			return false
		}
	}
	return true
}
