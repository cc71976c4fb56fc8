#!/usr/bin/env bash
# Copyright The Latchkey Authors.
# SPDX-License-Identifier: Apache-2.0
#
# Runs every check, also after one has failed, and says at the end which did. Each can be run alone.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

checks=(generated lint files layout docs gomod shell platforms image chart)

failed=()
for check in "${checks[@]}"; do
  started=$SECONDS
  if "hack/verify/$check.sh"; then
    echo "verify: $check passed in $((SECONDS - started)) s"
  else
    echo "verify: $check FAILED after $((SECONDS - started)) s"
    failed+=("$check")
  fi
done

if ((${#failed[@]} > 0)); then
  echo "verify: ${#failed[@]} of ${#checks[@]} checks failed: ${failed[*]}"
  echo "verify: run one alone with hack/verify/<check>.sh"
  exit 1
fi
echo "verify: all ${#checks[@]} checks passed"
