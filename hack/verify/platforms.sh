#!/usr/bin/env bash
# Copyright The Latchkey Authors.
# SPDX-License-Identifier: Apache-2.0
#
# The plugin compiles for the systems that people have, its tests too.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

echo "platforms: go vet finds nothing in the plugin for darwin and windows"

for system in darwin windows; do
  GOOS=$system GOARCH=arm64 CGO_ENABLED=0 go -C cmd/kubectl-latchkey vet ./... || {
    echo "platforms: mend it for $system, with a build constraint where it cannot be the same"
    exit 1
  }
done
