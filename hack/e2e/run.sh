#!/usr/bin/env bash
# Copyright The Latchkey Authors.
# SPDX-License-Identifier: Apache-2.0
#
# Runs the end-to-end tests against pods that run for real.
#
# Without KUBECONFIG, on a node of this machine (hack/node), which is brought up for it and taken down again, unless it
# was up before. It needs root; what else it needs is installed, or named. With KUBECONFIG, on that cluster: a Latchkey that
# is there is tested as it is, but for its removal; otherwise it is installed, and removed in the end. BUSYBOX_IMAGE is
# an image with a shell, and E2E_HELM_ARGS tells helm where the image of Latchkey is (--set image.repository=...).
#
# Arguments go to `go test`, such as -ginkgo.focus='agent environment'.
# Exit status: 0, 1 where something failed, 3 where no node can run, with the reasons.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

readonly unsuitable=3
node=bin/tools/node
logs=$PWD/bin/e2e/log

# The image as the chart has it, and the tag under which the node has the one before.
readonly repository=ghcr.io/latchkey-dev/latchkey tag=e2e-previous

say() { printf 'e2e: %s\n' "$*"; }

# up brings the node up, and has it taken down at the end unless it was up before.
up() {
  local rc=0
  go build -o "$node" ./hack/node
  if [[ -f bin/node/machine.json ]]; then
    say "the node is up, and stays up"
  else
    trap down EXIT
    export E2E_KEEP=true # everything goes with the node
  fi
  "$node" up || rc=$?
  if ((rc == unsuitable)); then
    trap - EXIT
    say "no node can run here, for the reasons above; set KUBECONFIG to run on another cluster"
  fi
  return "$rc"
}

# shellcheck disable=SC2317 # the trap calls it
# down keeps the logs of a run that failed, and takes the node down.
down() {
  local status=$?
  trap - EXIT
  if ((status != 0)) && [[ -d bin/node/log ]]; then
    mkdir -p "$logs"
    cp -r bin/node/log "$logs/node"
    say "all logs are in ${logs#"$PWD"/}"
  fi
  "$node" down >"bin/node-down.log" 2>&1 || { cat bin/node-down.log; say "the node is not down: run make node-down"; exit 1; }
  rm -f bin/node-down.log
  exit "$status"
}

# import builds the image, and that of the commit before, and gives them to the node.
import() {
  local -a ctr
  local platform previous=bin/e2e/previous
  platform=linux/$(go env GOARCH)
  read -ra ctr <<<"$CTR"
  make image PLATFORMS="$platform"
  "${ctr[@]}" images import dist/latchkey-image.tar >/dev/null
  before "$previous" || return 0
  make -C "$previous" image PLATFORMS="$platform" VERSION=previous IMAGE="$repository:$tag"
  "${ctr[@]}" images import "$previous/dist/latchkey-image.tar" >/dev/null
  rm -r "$previous/dist"
  export E2E_PREVIOUS=$previous/charts/latchkey
}

# before writes what was committed before into a folder: the last commit where something is changed, else the one before
# it. Its chart takes the image with a tag of its own. Nothing is there in the first commit, or in a shallow clone.
before() {
  local commit=HEAD
  if git diff --quiet HEAD -- && [[ -z $(git ls-files --others --exclude-standard) ]]; then commit=HEAD^; fi
  if ! git cat-file -e "$commit:charts/latchkey/Chart.yaml" 2>/dev/null; then
    say "$commit is not here, or has no chart: the upgrade is from this one to itself"
    return 1
  fi
  rm -rf "$1" && mkdir -p "$1" && git archive "$commit" | tar --extract --directory "$1" &&
    sed -i "s|^appVersion:.*|appVersion: $tag|" "$1/charts/latchkey/Chart.yaml"
}

if [[ ${KUBECONFIG:-$PWD/bin/node/admin.kubeconfig} == "$PWD/bin/node/admin.kubeconfig" ]]; then
  up
  # shellcheck source=/dev/null
  source bin/node/env
  export E2E_VOLUMES=$PWD/bin/node/volumes
  import
fi
rm -rf "$logs"
export E2E_LOGS=$logs/latchkey
make bin/tools/helm
export HELM=$PWD/bin/tools/helm

started=$SECONDS
rc=0
go test -tags e2e -count=1 -timeout 25m -v ./test/e2e -ginkgo.no-color "$@" || rc=$?
say "the specs took $((SECONDS - started)) s and $( ((rc == 0)) && echo passed || echo FAILED)"
exit "$((rc != 0))"
