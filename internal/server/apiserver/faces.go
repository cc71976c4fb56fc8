// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// The paths below which the dialects are served: as documented on our own port, and
// as the aggregation layer passes them on. A request that starts with one of them
// is the dialect's, whatever follows.
const (
	// CoderRoot is what CoderDirect is a part of. On our own port, all of it is the
	// dialect's.
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

// dialect says in whose words a request is answered.
type dialect int

const (
	noDialect dialect = iota // metav1.Status
	coderDialect
	golemDialect
)

// dialectOf finds the dialect of a decoded path, by the same prefixes as the router
// does.
func dialectOf(path string) dialect {
	switch {
	case strings.HasPrefix(path+"/", CoderRoot), strings.HasPrefix(path, CoderAggregated):
		return coderDialect
	case strings.HasPrefix(path, GolemDirect), strings.HasPrefix(path, GolemAggregated):
		return golemDialect
	}
	return noDialect
}

// The probes, which are open to all.
var probes = []string{"/healthz", "/livez", "/readyz"}

func isProbe(path string) bool {
	for _, p := range probes {
		if path == p {
			return true
		}
	}
	return false
}
