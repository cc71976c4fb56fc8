#!/usr/bin/env bash
# Copyright The Latchkey Authors.
# SPDX-License-Identifier: Apache-2.0
#
# What a linter does not look at: the length of files, the licence header, a description of every package, and the format
# of modules that it is not run on.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

max_lines=400

echo "files: Go files have the licence header and at most $max_lines lines, packages have a doc comment, all are formatted"

sources=()
while IFS= read -r -d '' file; do
  if [[ -f $file ]]; then sources+=("$file"); fi
done < <(git ls-files -z --cached --others --exclude-standard --deduplicate -- '*.go')
if ((${#sources[@]} == 0)); then
  echo "files: no Go files found: is this a git checkout?"
  exit 1
fi

# A package is described by a comment right above its package clause, in any of its files; test files count only where
# there are no others. The header of a generated file stands below its build constraint.
found=$(awk -v max="$max_lines" '
  function finish() {
    if (file == "") return
    generated = file ~ /(^|\/)zz_generated[^\/]*$/
    if (lines > max && !generated) printf "  %s: %d lines\n", file, lines
    if (header == 0 || (header > 1 && !generated)) printf "  %s: no licence header\n", file
    folder = file
    if (!sub(/\/[^\/]*$/, "", folder)) folder = "."
    kind = file ~ /_test\.go$/ ? "test" : "code"
    has[folder, kind] = 1
    folders[folder] = 1
    if (documented) described[folder, kind] = 1
  }
  FNR == 1 { finish(); file = FILENAME; header = 0; documented = 0; clause = 0; previous = "" }
  { lines = FNR }
  previous == copyright && $0 == license { header = FNR - 1 }
  header && FNR == header + 2 && $0 != "" { header = 0 }
  !clause && /^package / {
    clause = 1
    documented = (previous ~ /^\/\// && previous != license && previous !~ /^\/\/(go:| \+build)/) || previous ~ /\*\/$/
  }
  { previous = $0 }
  END {
    finish()
    for (folder in folders) {
      kind = ((folder, "code") in has) ? "code" : "test"
      if (!((folder, kind) in described)) printf "  %s: the package has no doc comment\n", folder
    }
  }
' copyright="$(sed -n 1p hack/boilerplate.go.txt)" license="$(sed -n 2p hack/boilerplate.go.txt)" "${sources[@]}" | sort)

if [[ -n $found ]]; then
  echo "$found"
  echo "files: split a long file by what it is about; the header is hack/boilerplate.go.txt and a blank line;"
  echo "files: a doc comment says what the package owns, reads and writes"
  exit 1
fi

unformatted=$(gofmt -l "${sources[@]}")
if [[ -n $unformatted ]]; then
  echo "files: run gofmt -w on: ${unformatted//$'\n'/ }"
  exit 1
fi
