#!/usr/bin/env bash
# Copyright The Latchkey Authors.
# SPDX-License-Identifier: Apache-2.0
#
# The Helm chart is what config/ says, its values are documented and checked, a real API server takes it, and linters
# find nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

echo "chart: it renders what config/ has, refuses wrong values, installs and goes, and passes helm lint and kube-score"

make build bin/tools/helm bin/tools/kube-score bin/tools/golangci-lint
HELM=$PWD/bin/tools/helm
KUBE_SCORE=$PWD/bin/tools/kube-score
KUBEBUILDER_ASSETS=$(hack/controlplane/build.sh --print-assets | tail -n 1)
KUBECTL=$KUBEBUILDER_ASSETS/kubectl
export HELM KUBECTL KUBEBUILDER_ASSETS

failed=false
report=$(mktemp)
trap 'rm -f "$report"' EXIT

"$HELM" lint --strict --quiet charts/latchkey || failed=true

# Findings that are left as they are:
#   CPU limit      a throttled server misses the time that admission has, and a throttled controller falls behind for
#                  every tenant; requests say what each needs, and the in-flight limits bound what a caller can cause.
#   pull policy    a release's tag never changes, so pulling it again at every start only makes the registry one more
#                  thing that has to be up for secrets to work. image.pullPolicy sets it.
score() {
  "$KUBE_SCORE" score --kubernetes-version v1.37 --exit-one-on-warning --output-format ci \
    --ignore-container-cpu-limit --ignore-test container-image-pull-policy \
    --enable-optional-test container-seccomp-profile --enable-optional-test container-ports-check - >"$report" && return
  grep -vE '^\[(OK|SKIPPED)\]' "$report"
  return 1
}
for values in "" monitoring.serviceMonitor.enabled=true,tenantNamespaces='{alice,bob}'; do
  if ! "$HELM" template latchkey charts/latchkey --namespace latchkey-system --set "$values" | score; then
    echo "chart: kube-score has findings with ${values:-the default values}; mend them, or argue them in $0"
    failed=true
  fi
done

(cd hack/chart && go vet ./... && ../../bin/tools/golangci-lint run --config ../../.golangci.yml ./...) || failed=true

# -count=1: what the tests run reads files that Go's cache of results does not know of.
go -C hack/chart test -count=1 ./... || failed=true

if $failed; then
  echo "chart: mend what is listed above; config/ is the source, charts/latchkey/templates follow it"
  exit 1
fi
