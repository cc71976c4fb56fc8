#!/usr/bin/env bash
# Copyright The Latchkey Authors.
# SPDX-License-Identifier: Apache-2.0
#
# Builds the control plane that the tests and the local stack run, once, from Go modules alone.
# The versions are the ones in kubernetes/go.mod and etcd/go.mod beside this script.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
root=$(cd "$here/../.." && pwd -P)
out=$root/bin/k8s
defaults=(etcd kube-apiserver kubectl)
progress_seconds=15

usage() {
  cat >&2 <<USAGE
usage: ${0##*/} [--print-assets] [binary ...]

  Builds the named binaries (default: ${defaults[*]}) into bin/k8s and does nothing where they are there.
  Others: kube-controller-manager kube-scheduler kube-proxy kubelet

  --print-assets   print the folder of the binaries as the only line on stdout

  A folder named by KUBEBUILDER_ASSETS that has the binaries is used as it is, and nothing is built.
USAGE
}

say() { printf '%s\n' "control plane: $*" >&2; }

# source_of NAME prints what NAME is built from: the folder of its go.mod, the module, the package.
source_of() {
  case $1 in
    etcd) echo "etcd go.etcd.io/etcd/server/v3 go.etcd.io/etcd/server/v3" ;;
    kube-apiserver | kubectl | kube-controller-manager | kube-scheduler | kube-proxy | kubelet)
      echo "kubernetes k8s.io/kubernetes k8s.io/kubernetes/cmd/$1" ;;
    *) return 1 ;;
  esac
}

# pinned MODULE FOLDER prints the version that FOLDER/go.mod requires.
pinned() {
  awk -v module="$1" '$1 == module && $2 ~ /^v/ { print $2; exit }' "$here/$2/go.mod"
}

# ldflags_for FOLDER prints the linker flags; without -X a Kubernetes binary says v0.0.0-master.
ldflags_for() {
  local version minor
  printf '%s' '-s -w'
  if [[ $1 == kubernetes ]]; then
    version=$(pinned k8s.io/kubernetes kubernetes)
    minor=${version#v*.}
    local x='-X k8s.io/component-base/version'
    printf ' %s' "$x.gitVersion=$version" "$x.gitMajor=${version:1:1}" "$x.gitMinor=${minor%%.*}"
  fi
}

# stamp_for NAME FOLDER prints all that the binary depends on; a difference means a rebuild.
stamp_for() {
  printf '%s\n' "$1" "$(go env GOVERSION GOHOSTOS GOHOSTARCH | tr '\n' ' ')" "$(ldflags_for "$2")"
  cat "$here/$2/go.mod"
}

# missing_from FOLDER NAME... prints the names that FOLDER has no binary of.
missing_from() {
  local folder=$1 name
  shift
  for name in "$@"; do
    [[ -x $folder/$name ]] || printf ' %s' "$name"
  done
}

child=
scratch=
cleanup() {
  # A background job of a script ignores the terminal's interrupt, so it is ended here.
  if [[ -n $child ]]; then kill "$child" 2>/dev/null || true; fi
  if [[ -n $scratch ]]; then rm -rf "$scratch"; fi
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# progress LOG SECONDS NAME says how far a build is: a package is logged when it is compiled, a module when it is fetched.
progress() {
  awk -v seconds="$2" -v name="$3" '
    /^go: downloading / { modules++; next }
    /^[a-z0-9.-]+(\/[^ ]+)*$/ { packages++ }
    END {
      printf "control plane: %s: %d s, %d packages compiled", name, seconds, packages
      if (modules) printf ", %d modules fetched", modules
      print " ..."
    }' "$1" >&2
}

build() {
  local name=$1 folder=$2 package=$3 version=$4 log=$out/.build/$1.log started=$SECONDS next
  say "building $name $version (a first build takes minutes, later ones nothing)"
  next=$((SECONDS + progress_seconds))
  (
    cd "$here/$folder"
    exec env GOWORK=off CGO_ENABLED=0 GOOS="$(go env GOHOSTOS)" GOARCH="$(go env GOHOSTARCH)" \
      go build -v -mod=readonly -buildvcs=false -trimpath -ldflags "$(ldflags_for "$folder")" \
      -o "$scratch/$name" "$package"
  ) >"$log" 2>&1 9>&- &
  child=$!
  while kill -0 "$child" 2>/dev/null; do
    sleep 0.5
    if ((SECONDS >= next)); then
      progress "$log" $((SECONDS - started)) "$name"
      next=$((next + progress_seconds))
    fi
  done
  local rc=0
  wait "$child" || rc=$?
  child=
  if ((rc != 0)); then
    say "building $name $version FAILED after $((SECONDS - started)) s; the end of $log:"
    tail -n 20 "$log" >&2
    say "if modules could not be fetched, look at 'go env GOPROXY';"
    say "binaries that you have already (setup-envtest) are used with KUBEBUILDER_ASSETS=<their folder>"
    exit 1
  fi
  # Renamed into place: a running process keeps its file, and a reader never sees half of one.
  mv -f "$scratch/$name" "$out/$name"
  stamp_for "$name" "$folder" >"$out/.build/$name.stamp"
  say "$name $version built in $((SECONDS - started)) s"
}

lock() {
  # Not everywhere (macOS): there, do not run two builds at once.
  command -v flock >/dev/null || return 0
  exec 9>"$out/.build/lock"
  if ! flock -n 9; then
    say "waiting for another build to finish"
    flock 9
  fi
  rm -rf "$out"/.build/new.* # what a killed build left behind
}

# up_to_date NAME FOLDER
up_to_date() {
  [[ -x $out/$1 && -f $out/.build/$1.stamp ]] && stamp_for "$1" "$2" | cmp -s - "$out/.build/$1.stamp"
}

main() {
  local print_assets=false names=() name folder module package assets=$out
  while (($#)); do
    case $1 in
      --print-assets) print_assets=true ;;
      -h | --help) usage; exit 0 ;;
      -*) usage; exit 2 ;;
      *)
        source_of "$1" >/dev/null || { say "unknown binary $1"; usage; exit 2; }
        names+=("$1") ;;
    esac
    shift
  done
  if ((${#names[@]} == 0)); then names=("${defaults[@]}"); fi

  local given=${KUBEBUILDER_ASSETS:-} missing=
  if [[ -n $given && -d $given ]]; then given=$(cd "$given" && pwd -P); fi
  if [[ $given == "$out" ]]; then given=; fi
  # shellcheck disable=SC2046 # names without spaces, one word each
  if [[ -n $given ]]; then missing=$(missing_from "$given" $(printf '%s\n' "${defaults[@]}" "${names[@]}" | sort -u)); fi
  if [[ -n $given && -z $missing ]]; then
    assets=$given
    say "using $given (KUBEBUILDER_ASSETS)"
  else
    if [[ -n $given ]]; then say "KUBEBUILDER_ASSETS=$given lacks$missing; building instead"; fi
    command -v go >/dev/null || { say "go is not on the PATH: install Go, or set KUBEBUILDER_ASSETS"; exit 1; }
    mkdir -p "$out/.build"
    lock
    scratch=$(mktemp -d "$out/.build/new.XXXXXX")
    for name in "${names[@]}"; do
      read -r folder module package <<<"$(source_of "$name")"
      up_to_date "$name" "$folder" || build "$name" "$folder" "$package" "$(pinned "$module" "$folder")"
    done
  fi
  if $print_assets; then printf '%s\n' "$assets"; fi
}

main "$@"
