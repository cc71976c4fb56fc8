// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package requests

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Segments returns the segments of a path below the prefix. It works on the escaped
// path and decodes each segment once, after splitting: "%2F" must not become a
// separator, nor "%252F" a slash, and "." segments must not be resolved.
// [net/http.ServeMux] cleans paths by redirecting, so it is not used. No route has more
// than three segments: the fourth has all the rest.
func Segments(prefix, escapedPath string) ([]string, bool) {
	rest, ok := strings.CutPrefix(escapedPath, prefix)
	if !ok {
		return nil, false
	}
	segments := strings.SplitN(rest, "/", 4)
	for i, segment := range segments {
		decoded, err := url.PathUnescape(segment)
		if err != nil || decoded == "" {
			return nil, false
		}
		segments[i] = decoded
	}
	return segments, true
}

// Route returns the operation of a method among those of a target, or the allowed
// methods. HEAD is GET: net/http discards the body.
func Route[O any](operations []O, methodOf func(O) string, method string) (op *O, allow string) {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	var methods []string
	for i := range operations {
		is := methodOf(operations[i])
		if is == method {
			return &operations[i], ""
		}
		methods = append(methods, is)
		if is == http.MethodGet {
			methods = append(methods, http.MethodHead)
		}
	}
	slices.Sort(methods)
	return nil, strings.Join(methods, ", ")
}
