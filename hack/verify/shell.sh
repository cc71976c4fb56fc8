#!/usr/bin/env bash
# Copyright The Latchkey Authors.
# SPDX-License-Identifier: Apache-2.0
#
# Shell scripts parse, can be executed, and shellcheck has nothing to say.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

echo "shell: scripts parse, are executable and pass shellcheck"

failed=false
scripts=()
while IFS= read -r -d '' file; do
  [[ -f $file ]] || continue
  if head -n 1 "$file" | grep -aqE '^#!.*\b(ba)?sh\b'; then
    scripts+=("$file")
  elif [[ $file == *.sh ]]; then
    echo "  $file: no #! line"
    failed=true
  fi
done < <(git ls-files -z --cached --others --exclude-standard --deduplicate)

for script in "${scripts[@]}"; do
  bash -n "$script" || failed=true
  if [[ ! -x $script ]]; then
    echo "  $script: not executable"
    failed=true
  fi
done

if command -v shellcheck >/dev/null; then
  shellcheck --external-sources "${scripts[@]}" || failed=true
elif [[ ${CI:-} == true ]]; then
  echo "  shellcheck is not installed"
  failed=true
else
  echo "shell: shellcheck is not installed and was left out; CI runs it"
fi

if $failed; then
  echo "shell: mend what is listed above; an exception is a '# shellcheck disable=<code> # <reason>' above the line"
  exit 1
fi
echo "shell: ${#scripts[@]} scripts"
