#!/bin/bash
# Makes the root that Bazel 7 and BuildBox run in: a Debian suite's packages, apart from this system, entered through
# bubblewrap (in-root.sh). Prints its folder. What is there already is not made again; packages that it lacks are added.
#   setup-root.sh [ROOT]    default: CROSSDOCK_BAZEL_ROOT, else /opt/bazel-root for root, ~/.cache/crossdock-bazel/root
# Needs Debian or a relative; mmdebstrap and bubblewrap are installed where they are missing (root or sudo).
set -euo pipefail

# shellcheck source=tests/support/bazel/places.sh
. "$(dirname "$(readlink -f "$0")")/places.sh"

root="${1:-$BAZEL_ROOT}"
suite=forky
# Bazel, the modules that its package has been made to work with offline, what repositories and actions run, and remote
# execution. golang-go compiles the example's program.
packages=(bazel-bootstrap bazel-skylib bazel-platforms bazel-rules-cc bazel-rules-python bazel-rules-shell bazel-features
  python3 python3-grpcio git ca-certificates buildbox golang-go)
declare -A package_of=([mmdebstrap]=mmdebstrap [bwrap]=bubblewrap)
# Dates and signatures of mirrors that are kept for long.
apt_options=(-o Acquire::Check-Valid-Until=false -o Acquire::Retries=5 -o APT::Install-Recommends=false
  -o APT::Sandbox::User=root)

say() { printf 'setup-bazel: %s\n' "$*" >&2; }

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

install_tools() {
  local missing=() program
  for program in "${!package_of[@]}"; do
    command -v "$program" >/dev/null || missing+=("${package_of[$program]}")
  done
  [ "${#missing[@]}" -eq 0 ] && return
  command -v apt-get >/dev/null || fail "no apt-get here; install by hand: ${missing[*]}"
  say "installing ${missing[*]}"
  as_root apt-get update -q >&2 || say "apt-get update had errors, trying with what is known"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}" >&2
}

lacking() {
  local package
  for package in "${packages[@]}"; do
    [ -e "$root/var/lib/dpkg/info/$package.list" ] || [ -n "$(compgen -G "$root/var/lib/dpkg/info/$package:*.list")" ] ||
      echo "$package"
  done
}

is_ready() {
  [ -e "$root/.ready" ] && [ -e "$root/etc/pip.conf" ] && [ -z "$(lacking)" ]
}

# The mirror this system's own packages come from.
find_mirror() {
  apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' | sort -u | head -n 1
}

# Runs as the root's own administrator, with its files to write to.
administer() {
  local folder=$1
  shift
  bwrap --unshare-user-try --uid 0 --gid 0 --bind "$folder" / --dev /dev --proc /proc --tmpfs /run --tmpfs /tmp \
    --ro-bind /etc/resolv.conf /etc/resolv.conf --ro-bind /etc/hosts /etc/hosts --clearenv --setenv LC_ALL C.UTF-8 \
    --setenv DEBIAN_FRONTEND noninteractive --setenv PATH /usr/sbin:/usr/bin:/sbin:/bin -- "$@"
}

make_root() {
  local folder=$1 mirror included
  mirror="$(find_mirror)"
  [ -n "$mirror" ] || fail "apt knows no Debian mirror"
  included="$(IFS=,; echo "${packages[*]}")"
  # Java's package wants the folder of manual pages to be there, and Bazel needs no modules to link other Javas of.
  # As a tar, so that its files belong to whoever runs this, however mmdebstrap has made them.
  mmdebstrap --quiet --variant=minbase --include="$included" \
    --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='Acquire::Retries "5"' \
    --aptopt='APT::Install-Recommends "false"' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/lib/jvm/*/jmods/*' \
    --setup-hook='mkdir -p "$1/usr/share/man/man1"' \
    "$suite" - "$mirror" | tar --extract --no-same-owner --exclude='./dev/*' --directory "$folder"
}

add_packages() {
  local folder=$1
  shift
  administer "$folder" apt-get "${apt_options[@]}" update -q >&2 || say "apt-get update had errors, trying with what is known"
  administer "$folder" apt-get "${apt_options[@]}" install -q -y --no-install-recommends "$@" >&2
}

adapt() {
  local folder=$1
  # Whom this system trusts, for OpenSSL and for Java alike.
  cp /usr/local/share/ca-certificates/*.crt "$folder/usr/local/share/ca-certificates/" 2>/dev/null || true
  administer "$folder" update-ca-certificates >/dev/null
  # Debian's settings: one flag that is deprecated, which each command would warn of, and one that keeps every sandbox.
  sed -i -e '/host_javabase/d' -e '/sandbox_debug/d' "$folder/etc/bazel/bazelrc"
}

PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
if is_ready; then
  echo "$root"
  exit 0
fi

mkdir -p "$(dirname "$root")" || fail "cannot make $(dirname "$root"); name another place by CROSSDOCK_BAZEL_ROOT"
# Two runs at a time make it once.
exec 9>"$root.lock"
flock 9
if ! is_ready; then
  install_tools
  if [ -e "$root/.ready" ]; then
    mapfile -t missing < <(lacking)
    [ "${#missing[@]}" -eq 0 ] || {
      say "adding ${missing[*]} to $root"
      add_packages "$root" "${missing[@]}"
    }
  else
    say "making a root of $suite with Bazel in $root; this downloads about 700 MB, and takes a few minutes"
    unfinished="$(mktemp -d "$root.XXXXXX")"
    trap '[ -z "$unfinished" ] || rm -rf "$unfinished"' EXIT
    make_root "$unfinished"
    chmod 755 "$unfinished"
    adapt "$unfinished"
    touch "$unfinished/.ready"
    rm -rf "$root"
    mv "$unfinished" "$root"
    unfinished=""
  fi
  # What this system's own files are laid over.
  touch "$root"/etc/{hosts,resolv.conf,pip.conf}
  is_ready || fail "$root lacks $(lacking | tr '\n' ' ')after all"
fi
echo "$root"
