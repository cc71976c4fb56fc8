#!/usr/bin/env bash
# Copyright The Latchkey Authors.
# SPDX-License-Identifier: Apache-2.0
#
# The module that builds the image passes its tests and the linters: it is not part of the main module's.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

echo "image: two builds make the same image, which holds a static program and nothing else"

make bin/tools/golangci-lint
(cd hack/image && ../../bin/tools/golangci-lint run --config ../../.golangci.yml ./...)
go -C hack/image test ./...
