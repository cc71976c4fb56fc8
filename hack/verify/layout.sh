#!/usr/bin/env bash
# Copyright The Latchkey Authors.
# SPDX-License-Identifier: Apache-2.0
#
# The layout that docs/architecture.md describes is the one that is there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

page=docs/architecture.md

echo "layout: the block below \"## Layout\" in $page names every folder, and only folders that exist"

if [[ ! -f $page ]]; then
  echo "layout: $page is missing"
  exit 1
fi

# In the block, a word that ends in a slash is a folder. The first one of a line is given from the root; a later one from
# the root or from the first.
named=$(awk '
  /^## / { inside = ($0 == "## Layout") }
  inside && /^```/ { if (block) exit; block = 1; next }
  inside && block {
    gsub(/[`,;:()]/, " ")
    for (i = 1; i <= NF; i++) if ($i ~ /^[A-Za-z0-9._\/-]+\/$/) { printf "%s ", $i; any = 1 }
    if (any) print ""
    any = 0
  }
' "$page")
if [[ -z $named ]]; then
  echo "layout: found no fenced block that names folders below \"## Layout\" in $page"
  exit 1
fi

problems=()
known=()
while read -r first rest; do
  for folder in "$first" $rest; do
    if [[ -d $folder ]]; then
      known+=("$folder")
    elif [[ -d $first$folder ]]; then
      known+=("$first$folder")
    else
      problems+=("$page names $folder, which is not there")
    fi
  done
done <<<"$named"

# is_known FOLDER/ holds for a folder that is named, or that has a named folder in it.
is_known() {
  local folder
  for folder in "${known[@]}"; do
    if [[ $folder == "$1"* ]]; then return 0; fi
  done
  return 1
}

# What git has or would take: top-level folders without the hidden ones, and the packages of internal/.
present=$(git ls-files --cached --others --exclude-standard |
  while IFS= read -r file; do if [[ -f $file ]]; then printf '%s\n' "$file"; fi; done |
  sed -nE -e 's|^([^./][^/]*/).*|\1|p' | sort -u)
packages=$(git ls-files --cached --others --exclude-standard -- 'internal/*.go' |
  while IFS= read -r file; do if [[ -f $file ]]; then printf '%s\n' "$file"; fi; done |
  sed -nE 's|^(internal/[^/]+/).*|\1|p' | sort -u)
for folder in $present $packages; do
  is_known "$folder" || problems+=("$folder is there, and $page does not name it")
done

if ((${#problems[@]} > 0)); then
  printf '  %s\n' "${problems[@]}"
  echo "layout: change the block below \"## Layout\" in $page together with the folders"
  exit 1
fi
