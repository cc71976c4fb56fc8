#!/usr/bin/env bash
# Copyright The Latchkey Authors.
# SPDX-License-Identifier: Apache-2.0
#
# Links between the pages lead somewhere.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

echo "docs: relative links in Markdown files lead to a file, and to a heading where they name one"

# links FILE prints the target of each link, image and link definition outside of code.
links() {
  awk '
    /^ *(```|~~~)/ { code = !code; next }
    code { next }
    {
      gsub(/`[^`]*`/, "")
      if (match($0, /^ *\[[^]]+\]: +/)) { split(substr($0, RLENGTH + 1), word, " "); print word[1] }
      while (match($0, /\]\([^)]*\)/)) {
        target = substr($0, RSTART + 2, RLENGTH - 3)
        $0 = substr($0, RSTART + RLENGTH)
        sub(/^ +/, "", target)
        sub(/ .*/, "", target)
        gsub(/^<|>$/, "", target)
        print target
      }
    }
  ' "$1"
}

# anchors FILE prints the anchor of each heading, as the common forges make it.
anchors() {
  awk '
    /^ *(```|~~~)/ { code = !code; next }
    !code && /^#+ / {
      sub(/^#+ +/, "")
      sub(/ +#* *$/, "")
      gsub(/\]\([^)]*\)/, "]")
      anchor = tolower($0)
      gsub(/[^a-z0-9 _-]/, "", anchor)
      gsub(/ /, "-", anchor)
      print anchor (seen[anchor]++ ? "-" seen[anchor] - 1 : "")
    }
  ' "$1"
}

problems=()
pages=0
while IFS= read -r -d '' page; do
  [[ -f $page ]] || continue
  pages=$((pages + 1))
  while IFS= read -r target; do
    case $target in
      "" | *://* | mailto:*) continue ;;
    esac
    path=${target%%#*}
    case $path in
      "") file=$page ;;
      /*) file=.$path ;;
      *) file=$(dirname "$page")/$path ;;
    esac
    if [[ ! -e $file ]]; then
      problems+=("$page: $target: no such file")
    elif [[ $target == *#* && $file == *.md ]] && ! anchors "$file" | grep -qxF -- "${target#*#}"; then
      problems+=("$page: $target: no such heading")
    fi
  done < <(links "$page")
done < <(git ls-files -z --cached --others --exclude-standard --deduplicate -- '*.md')

if ((${#problems[@]} > 0)); then
  printf '  %s\n' "${problems[@]}"
  echo "docs: a link is relative to its own page; correct it, or move the page back"
  exit 1
fi
echo "docs: $pages pages"
