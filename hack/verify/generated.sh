#!/usr/bin/env bash
# Copyright The Latchkey Authors.
# SPDX-License-Identifier: Apache-2.0
#
# The generated code, the CRDs, docs/rbac.md and what the chart copies are what the types and the manifests say.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

echo "generated: make generate changes nothing"

generated=(api config charts docs/rbac.md docs/chart-values.md docs/monitor.md docs/cli.md cmd/kubectl-latchkey/fixes)

# snapshot prints a digest of every file that git has or would take, so that a change, a new file and a file that went
# all show, in a clean checkout and in one with work in progress.
snapshot() {
  git ls-files -z --cached --others --exclude-standard --deduplicate -- "${generated[@]}" |
    while IFS= read -r -d '' file; do
      if [[ -f $file ]]; then sha256sum "$file"; fi
    done
}

before=$(snapshot)
make generate
after=$(snapshot)

if [[ $before != "$after" ]]; then
  comm -3 <(sort <<<"$before") <(sort <<<"$after") | awk '{ print "  " $2 }' | sort -u
  git --no-pager diff -- "${generated[@]}"
  git status --porcelain -- "${generated[@]}"
  echo "generated: the files above were out of date and have been written again: look at them and commit them"
  exit 1
fi
