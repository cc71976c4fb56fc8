#!/usr/bin/env bash
# Copyright The Latchkey Authors.
# SPDX-License-Identifier: Apache-2.0
#
# Each go.mod says exactly what its module needs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

echo "gomod: go mod tidy would change no go.mod and no go.sum"

untidy=()
while IFS= read -r -d '' file; do
  [[ -f $file ]] || continue
  folder=$(dirname "$file")
  echo "gomod: $folder"
  (cd "$folder" && go mod tidy -diff) || untidy+=("$folder")
done < <(git ls-files -z --cached --others --exclude-standard --deduplicate -- go.mod '*/go.mod')

if ((${#untidy[@]} > 0)); then
  echo "gomod: run 'go mod tidy' in: ${untidy[*]}"
  exit 1
fi
