#!/usr/bin/env bash
# Copyright The Latchkey Authors.
# SPDX-License-Identifier: Apache-2.0
#
# The linters of .golangci.yml find nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

echo "lint: .golangci.yml is valid and its linters find nothing"

if ! make lint; then
  echo "lint: mend what is listed above; 'make fmt' mends the format, an exception is //nolint:<linter> // <reason>"
  exit 1
fi
