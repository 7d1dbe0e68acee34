#!/bin/bash
# Makes roots with the Python of a Debian suite for each architecture, in which e2e tests run what crossdock has made as
# on such a machine, through bubblewrap and QEMU; see tests/e2e/machines.py.
# They are below ~/.cache/crossdock-test/machines, or at CROSSDOCK_TEST_MACHINES. Needs mmdebstrap, but no root: packages
# are unpacked only, and none of their scripts is run. When everything is there it changes nothing and is done at once.
set -euo pipefail

suites=(bookworm trixie)
architectures=(amd64 arm64)
# libstdc++6: wheels may expect it on every system, by their tag's policy.
packages=(base-files python3 dash coreutils tar gzip sed grep libstdc++6)
cache="${CROSSDOCK_TEST_CACHE:-$HOME/.cache/crossdock-test}"
roots="${CROSSDOCK_TEST_MACHINES:-$cache/machines}"
# Whatever changes what is made belongs here.
version="1 ${packages[*]}"

say() { printf 'setup-machines: %s\n' "$*" >&2; }

fail() {
  say "error: $*"
  exit 1
}

is_ready() {
  [ "$(cat "$1/.ready" 2>/dev/null)" = "$version" ] && [ -x "$1/usr/bin/python3" ] && [ -e "$1/bin/sh" ]
}

all_ready() {
  local suite architecture
  for suite in "${suites[@]}"; do
    for architecture in "${architectures[@]}"; do
      is_ready "$roots/$suite-$architecture" || return 1
    done
  done
}

# The mirror this system's own packages come from.
find_mirror() {
  apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' | sort -u | head -n 1
}

# What a package's scripts would have linked: some suites' packages keep these folders outside of /usr.
merge_usr() {
  local folder=$1 name
  for name in bin sbin lib lib64; do
    if [ -d "$folder/$name" ] && [ ! -L "$folder/$name" ]; then
      mkdir -p "$folder/usr/$name"
      cp -a "$folder/$name/." "$folder/usr/$name/"
      rm -rf "${folder:?}/$name"
    fi
    if [ -d "$folder/usr/$name" ]; then
      ln -sfn "usr/$name" "$folder/$name"
    fi
  done
}

make_root() {
  local suite=$1 architecture=$2 folder=$3 mirror=$4 included
  included="$(IFS=,; echo "${packages[*]}")"
  # As a tar, so that its files belong to whoever runs this, however mmdebstrap has made them.
  mmdebstrap --quiet --arch="$architecture" --variant=extract --include="$included" \
    --aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Check-Valid-Until "false"' \
    --aptopt='Acquire::Retries "5"' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    "$suite" - "$mirror" | tar --extract --no-same-owner --exclude='./dev/*' --directory "$folder"
  merge_usr "$folder"
  rm -rf "$folder/var/lib/apt" "$folder/var/cache"
}

all_ready && exit 0

for tool in mmdebstrap apt-get; do
  PATH="$PATH:/usr/sbin:/sbin" command -v "$tool" >/dev/null || fail "$tool is missing; run tests/support/setup-engines.sh"
done
mirror="$(find_mirror)"
[ -n "$mirror" ] || fail "apt knows no Debian mirror"

mkdir -p "$roots"
# Two runs at a time make them once.
exec 9>"$roots.lock"
flock 9

unfinished=""
trap '[ -z "$unfinished" ] || rm -rf "$unfinished"' EXIT
for suite in "${suites[@]}"; do
  for architecture in "${architectures[@]}"; do
    root="$roots/$suite-$architecture"
    is_ready "$root" && continue
    say "making a root of $suite for $architecture in $root"
    unfinished="$(mktemp -d "$root.XXXXXX")"
    make_root "$suite" "$architecture" "$unfinished" "$mirror"
    chmod 755 "$unfinished"
    echo "$version" >"$unfinished/.ready"
    rm -rf "$root"
    mv "$unfinished" "$root"
    unfinished=""
    is_ready "$root" || fail "the packages of $suite for $architecture lack python3 or sh"
  done
done
