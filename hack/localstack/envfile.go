// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
)

// variable is one line of bin/dev/env.
type variable struct{ name, value string }

// renderEnv renders shell lines that export the variables that have a value, quoted so that any path is safe.
func renderEnv(variables []variable) []byte {
	var out strings.Builder
	out.WriteString("# Written by hack/localstack: how to reach the local stack.\n")
	for _, v := range variables {
		if v.value != "" {
			out.WriteString("export " + v.name + "='" + strings.ReplaceAll(v.value, "'", `'\''`) + "'\n")
		}
	}
	return []byte(out.String())
}

// writeEnv writes what is known so far.
func (s *stack) writeEnv() error {
	return writeFile(s.env(), renderEnv(append([]variable{
		{"KUBECONFIG", s.adminKubeconfig()},
		{"KUBECTL", s.kubectl().path},
		{"ETCD_ENDPOINT", s.etcdURL()},
	}, s.restVariables()...)))
}
