// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package crds pins the modules that hold the CustomResourceDefinitions of kinds that
// the chart can make and others own. The chart's tests have a real API server check what
// is rendered against them. Nothing is built from it.
package crds

import (
	_ "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"              // deploy/crds
	_ "github.com/prometheus-operator/prometheus-operator/pkg/versionutil" // example/prometheus-operator-crd
	_ "sigs.k8s.io/gateway-api/pkg/consts"                                 // config/crd/standard
)
