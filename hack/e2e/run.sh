#!/usr/bin/env bash
# Copyright The Latchkey Authors.
# SPDX-License-Identifier: Apache-2.0
#
# Runs the end-to-end tests against pods that run for real.
#
# Without KUBECONFIG, on a node of this machine (hack/node), which is brought up for it and taken down again, unless it
# was up before. It needs root; what else it needs is installed, or named. With KUBECONFIG, on that cluster: Latchkey is
# installed there from IMAGE, which has to be pushed, unless it is there; BUSYBOX_IMAGE is an image with a shell.
#
# Arguments go to `go test`, such as -ginkgo.focus='agent environment'.
# Exit status: 0, 1 where something failed, 3 where no node can run, with the reasons.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

readonly unsuitable=3
node=bin/tools/node
logs=bin/e2e/log

ours=false # whether the cluster is this machine's node

say() { printf 'e2e: %s\n' "$*"; }

# up brings the node up, and has it taken down at the end unless it was up before.
up() {
  local rc=0
  go build -o "$node" ./hack/node
  if [[ -f bin/node/machine.json ]]; then
    say "the node is up, and stays up"
  else
    trap down EXIT
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
  rm -rf "$logs"
  if ((status != 0)) && [[ -d bin/node/log ]]; then
    mkdir -p "${logs%/*}"
    cp -r bin/node/log "$logs"
    say "the logs of the node's processes and pods are in $logs"
  fi
  "$node" down >"bin/node-down.log" 2>&1 || { cat bin/node-down.log; say "the node is not down: run make node-down"; exit 1; }
  rm -f bin/node-down.log
  exit "$status"
}

# import builds the image and gives it to the node.
import() {
  local -a ctr
  make image PLATFORMS="linux/$(go env GOARCH)"
  read -ra ctr <<<"$CTR"
  "${ctr[@]}" images import dist/latchkey-image.tar >/dev/null
}

if [[ ${KUBECONFIG:-$PWD/bin/node/admin.kubeconfig} == "$PWD/bin/node/admin.kubeconfig" ]]; then
  ours=true
  up
  # shellcheck source=/dev/null
  source bin/node/env
  export E2E_VOLUMES=$PWD/bin/node/volumes
  import
fi
KUBECTL=${KUBECTL:-kubectl}
export KUBECTL

if ! $ours && "$KUBECTL" --namespace latchkey-system get deployment latchkey-server >/dev/null 2>&1; then
  say "Latchkey is installed already, and is tested as it is"
else
  say "installing Latchkey"
  "$KUBECTL" apply --server-side --force-conflicts --kustomize config/default >/dev/null
fi

started=$SECONDS
rc=0
go test -tags e2e -count=1 -timeout 15m -v ./test/e2e -ginkgo.no-color "$@" || rc=$?
say "the specs took $((SECONDS - started)) s and $( ((rc == 0)) && echo passed || echo FAILED)"
exit "$((rc != 0))"
