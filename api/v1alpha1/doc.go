// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package v1alpha1 holds Latchkey's API, group latchkey.dev: UserSecret and
// AgentSecret, their conditions and reasons, and the label and annotation keys
// that other programs may rely on. It imports apimachinery only.
//
// +kubebuilder:object:generate=true
// +groupName=latchkey.dev
package v1alpha1
