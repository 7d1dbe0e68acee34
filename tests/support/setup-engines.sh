#!/bin/bash
# Prepares the engines that the e2e tests run images on: podman with runc, a registry, skopeo, umoci, and QEMU as the
# kernel's interpreter for the other architecture's programs; strace, which records and stops what a build does; and
# bubblewrap, in which programs of a base run; docker and containerd, which images are loaded into; and a root of a
# newer suite with more clients (setup-newer.sh); and roots with the Python of each architecture (setup-machines.sh).
# For Debian and its relatives; needs root (or sudo) the first time only. When everything is there it changes nothing
# and is done at once.
set -euo pipefail

declare -A package_of=(
  [podman]=podman
  [runc]=runc
  [skopeo]=skopeo
  [umoci]=umoci
  [docker-registry]=docker-registry
  [qemu-aarch64-static]=qemu-user-static
  [mmdebstrap]=mmdebstrap
  [strace]=strace
  [bwrap]=bubblewrap
  [busybox]=busybox-static
  [ctr]=containerd
  [dockerd]=docker.io
  [zsh]=zsh
  [ksh]=ksh
  [fish]=fish
  [tcsh]=tcsh
)
binfmt=/proc/sys/fs/binfmt_misc

say() { printf 'setup-engines: %s\n' "$*" >&2; }

fail() {
  say "error: $*"
  exit 1
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    say "needs root: $*"
    sudo "$@"
  else
    fail "this needs root and sudo is not there; run as root: $*"
  fi
}

# Debian puts some of these in sbin, which is not on every user's PATH.
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"

install_packages() {
  local missing=() program
  for program in "${!package_of[@]}"; do
    command -v "$program" >/dev/null || missing+=("${package_of[$program]}")
  done
  [ "${#missing[@]}" -eq 0 ] && return
  command -v apt-get >/dev/null || fail "no apt-get here; install by hand: ${missing[*]}"
  say "installing ${missing[*]}"
  # A source that is not needed here may be out of reach: the install below tells whether anything is really missing.
  as_root apt-get update -q >&2 || say "apt-get update had errors, trying with what is known"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}" >&2
}

# Flag F makes the kernel open QEMU when it is registered, so that it also runs inside roots that do not hold it.
register_qemu() {
  local machine=$1 entry="$binfmt/qemu-$1" rule_file="/usr/lib/binfmt.d/qemu-$1.conf" rule
  if [ ! -e "$binfmt/register" ]; then
    say "mounting binfmt_misc"
    as_root mount -t binfmt_misc binfmt_misc "$binfmt" || fail "cannot mount binfmt_misc; is this a container without the right to?"
  fi
  if [ -e "$entry" ]; then
    grep -q '^flags:.*F' "$entry" && grep -q '^enabled' "$entry" && return
    say "replacing the registration of qemu-$machine, which lacks flag F or is disabled"
    as_root sh -c "echo -1 > '$entry'"
  fi
  [ -r "$rule_file" ] || fail "$rule_file is missing; it comes with the package qemu-user-static"
  # name:type:offset:magic:mask are the package's own; the interpreter and its flags are ours.
  rule="$(sed -E "s#:[^:]*:[^:]*\$#:/usr/bin/qemu-$machine-static:F#" "$rule_file")"
  say "registering qemu-$machine"
  printf '%s' "$rule" | as_root tee "$binfmt/register" >/dev/null
  [ -e "$entry" ] || fail "the kernel did not take the registration of qemu-$machine"
}

install_packages
case "$(uname -m)" in
  x86_64) register_qemu aarch64 ;;
  aarch64) register_qemu x86_64 ;;
  *)
    register_qemu aarch64
    register_qemu x86_64
    ;;
esac

# Clients that this suite does not have, or only in older versions.
"$(dirname "$0")/setup-newer.sh"

# What artifacts run on that are no images.
"$(dirname "$0")/setup-machines.sh"
