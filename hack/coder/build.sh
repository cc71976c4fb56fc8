#!/usr/bin/env bash
# Copyright The Latchkey Authors.
# SPDX-License-Identifier: Apache-2.0
#
# Builds the coder command line, whose contract Latchkey serves, into bin/tools/coder, from the Go module and version that
# test/codersdk/go.mod pins. It is built in the module's own folder, since its replacements of other modules count only
# there. Without its server ("slim") it still takes minutes, once.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

mkdir -p bin/tools
module=github.com/coder/coder/v2
out=$PWD/bin/tools/coder
(cd test/codersdk && go mod download "$module")
source=$(cd test/codersdk && go list -m -f '{{.Dir}}' "$module")
version=$(cd test/codersdk && go list -m -f '{{.Version}}' "$module")

echo "building $out (a first build takes minutes)" >&2
cd "$source"
go build -mod=readonly -trimpath -buildvcs=false -tags slim -ldflags "-s -w -X $module/buildinfo.tag=${version#v}" -o "$out.new" ./cmd/coder
mv "$out.new" "$out"
