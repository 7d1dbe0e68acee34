#!/bin/bash
# Makes a root of a newer Debian suite with clients that this system has not, or only in older versions: crane, cosign,
# oras, skopeo and umoci. They run in it through bubblewrap; see tests/e2e/newer.py. A registry with the referrers API is
# compiled there as well, of go-containerregistry's package in that suite: /opt/referrers-registry.
# It is below ~/.cache/crossdock-test, or at CROSSDOCK_TEST_NEWER. Needs mmdebstrap and bubblewrap, but no root: packages
# are unpacked only, and none of their scripts is run. When everything is there it changes nothing and is done at once.
set -euo pipefail

cd "$(dirname "$0")"
programs=(crane cosign oras skopeo umoci)
suite=forky
registry=/opt/referrers-registry
library=golang-github-google-go-containerregistry-dev
cache="${CROSSDOCK_TEST_CACHE:-$HOME/.cache/crossdock-test}"
root="${CROSSDOCK_TEST_NEWER:-$cache/newer}"
# Whatever changes what is made belongs here.
version="3 $suite ${programs[*]} $(sha256sum <referrers-registry/main.go)"

say() { printf 'setup-newer: %s\n' "$*" >&2; }

fail() {
  say "error: $*"
  exit 1
}

is_ready() {
  local program
  [ "$(cat "$root/.ready" 2>/dev/null)" = "$version" ] || return 1
  for program in "${programs[@]}"; do
    [ -x "$root/usr/bin/$program" ] || return 1
  done
  [ -x "$root$registry" ]
}

# The mirror this system's own packages come from.
find_mirror() {
  apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' | sort -u | head -n 1
}

make_root() {
  local folder=$1 mirror=$2 included
  included="$(IFS=,; echo "base-files,${programs[*]}")"
  # As a tar, so that its files belong to whoever runs this, however mmdebstrap has made them.
  mmdebstrap --quiet --variant=extract --include="$included" \
    --aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Check-Valid-Until "false"' \
    --aptopt='Acquire::Retries "5"' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    "$suite" - "$mirror" | tar --extract --no-same-owner --exclude='./dev/*' --directory "$folder"
  # What this system's own files are laid over, as the root is never written to.
  mkdir -p "$folder"/etc/ssl/certs "$folder"/usr/share/ca-certificates "$folder"/usr/local/share/ca-certificates
  touch "$folder"/etc/{hosts,resolv.conf,passwd,group}
}

# The library depends on much that this part of it does not need, so its package is fetched alone.
fetch_go() {
  local folder=$1 mirror=$2 apt compiler
  mkdir -p "$folder"/{lists,cache/archives,debs}/partial
  echo "deb [arch=$(dpkg --print-architecture)] $mirror $suite main" >"$folder/sources.list"
  apt=(-q -o "Dir::Etc::SourceList=$folder/sources.list" -o Dir::Etc::SourceParts=- -o "Dir::State::Lists=$folder/lists"
    -o "Dir::Cache=$folder/cache" -o APT::Sandbox::User= -o 'Acquire::Check-Valid-Until=false' -o 'Acquire::Retries=5')
  apt-get "${apt[@]}" update >&2
  compiler="$(apt-cache "${apt[@]}" depends golang-go | sed -n 's/^ *Depends: \(golang-[0-9.]*\)-go$/\1/p')"
  [ -n "$compiler" ] || fail "$suite has no Go compiler"
  (cd "$folder/debs" && apt-get "${apt[@]}" download "$compiler-go" "$compiler-src" "$library" >&2)
  for package in "$folder"/debs/*.deb; do
    dpkg-deb --extract "$package" "$folder/go"
  done
}

# The compiler needs the newer root's C library.
make_registry() {
  local folder=$1 go=$2 home=$3 lib
  lib="$(cd "$go" && echo usr/lib/go-*)"
  mkdir -p "$go/usr/share/gocode/src/referrers-registry" "$folder/opt" "$folder/$lib" "$folder/${lib/lib/share}" "$home"
  cp referrers-registry/main.go "$go/usr/share/gocode/src/referrers-registry"
  bwrap --bind "$folder" / --dev /dev --proc /proc --tmpfs /tmp --bind "$go" "$go" --bind "$home" "$home" \
    --ro-bind "$go/$lib" "/$lib" --ro-bind "$go/${lib/lib/share}" "/${lib/lib/share}" --unshare-net \
    --clearenv --setenv PATH "/$lib/bin:/usr/bin" --setenv HOME "$home" --setenv GOPATH "$go/usr/share/gocode" \
    --setenv GO111MODULE off --setenv GOTOOLCHAIN local --setenv CGO_ENABLED 0 \
    --chdir "$go/usr/share/gocode/src/referrers-registry" -- go build -trimpath -ldflags=-s -o "$registry" .
}

is_ready && exit 0

for tool in mmdebstrap bwrap apt-get; do
  PATH="$PATH:/usr/sbin:/sbin" command -v "$tool" >/dev/null || fail "$tool is missing; run tests/support/setup-engines.sh"
done
mirror="$(find_mirror)"
[ -n "$mirror" ] || fail "apt knows no Debian mirror"

mkdir -p "$(dirname "$root")"
# Two runs at a time make it once.
exec 9>"$root.lock"
flock 9
is_ready && exit 0

say "making a root of $suite in $root"
unfinished="$(mktemp -d "$root.XXXXXX")"
work="$(mktemp -d)"
# Go makes its folders of sources unwritable.
trap 'chmod -R u+w "$work"; rm -rf "$unfinished" "$work"' EXIT
make_root "$unfinished" "$mirror"
chmod 755 "$unfinished"
say "compiling a registry with the referrers API"
fetch_go "$work/go" "$mirror"
make_registry "$unfinished" "$work/go/go" "$work/home"
echo "$version" >"$unfinished/.ready"
rm -rf "$root"
mv "$unfinished" "$root"
is_ready || fail "some of ${programs[*]} are not in the packages of that name"
