// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// The paths below which the dialects are served: as documented on our own port, and as
// the aggregation layer forwards them. A request whose path begins with one of them
// belongs to that dialect.
const (
	// CoderRoot is a prefix of CoderDirect. On our own port, all paths below it belong
	// to the dialect.
	CoderRoot       = "/api/v2/"
	CoderDirect     = CoderRoot + "users/"
	CoderAggregated = "/apis/coder.latchkey.dev/v2/users/"
	GolemDirect     = "/v1/"
	GolemAggregated = "/apis/golem.latchkey.dev/v1/"
)

var (
	coderGroup = schema.GroupVersion{Group: "coder.latchkey.dev", Version: "v2"}
	golemGroup = schema.GroupVersion{Group: "golem.latchkey.dev", Version: "v1"}
)

// dialect is the dialect in which a request is answered.
type dialect int

const (
	noDialect dialect = iota // metav1.Status
	coderDialect
	golemDialect
)

// dialectOf returns the dialect of a decoded path, by the same prefixes as the router.
func dialectOf(path string) dialect {
	switch {
	case strings.HasPrefix(path+"/", CoderRoot), strings.HasPrefix(path, CoderAggregated):
		return coderDialect
	case strings.HasPrefix(path, GolemDirect), strings.HasPrefix(path, GolemAggregated):
		return golemDialect
	}
	return noDialect
}

// The probes, which everyone may use.
var probes = []string{"/healthz", "/livez", "/readyz"}

func isProbe(path string) bool { return slices.Contains(probes, path) }
