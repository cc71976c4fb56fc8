// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import "github.com/latchkey-dev/latchkey/hack/internal/supervise"

const envComment = "Written by hack/localstack: how to reach the local stack."

// writeEnv writes what is known so far.
func (s *stack) writeEnv() error {
	return supervise.WriteFile(s.env(), supervise.RenderEnv(envComment, append([]supervise.Variable{
		{Name: "KUBECONFIG", Value: s.adminKubeconfig()},
		{Name: "KUBECTL", Value: s.kubectl().Path()},
		{Name: "ETCD_ENDPOINT", Value: s.etcdURL()},
	}, s.restVariables()...)))
}
