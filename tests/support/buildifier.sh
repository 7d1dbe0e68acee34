#!/bin/bash
# buildifier: buildifier.sh ARGUMENTS…; without any it checks the form of all Starlark files of the tree, and warns of
# what is bad in them. It comes from npm's registry, as the user's configuration names it, into ~/.cache/crossdock-dev
# (CROSSDOCK_DEV_CACHE).
set -euo pipefail

version=8.2.1
folder="${CROSSDOCK_DEV_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/crossdock-dev}/buildifier-$version"
program="$folder/node_modules/.bin/buildifier"

if [ ! -e "$folder/ready" ]; then
  if ! command -v npm >/dev/null && [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    echo "buildifier: installing npm" >&2
    apt-get update -q >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends npm >&2
  fi
  command -v npm >/dev/null || {
    echo "buildifier: error: npm is missing; install it, or run another buildifier by yourself" >&2
    exit 1
  }
  echo "buildifier: getting it into $folder" >&2
  mkdir -p "$folder"
  npm install --silent --no-save --ignore-scripts --prefix "$folder" "@bazel/buildifier@$version" >&2
  touch "$folder/ready"
fi

if [ "$#" -gt 0 ]; then
  exec "$program" "$@"
fi
cd "$(dirname "$(readlink -f "$0")")/../.."
# Tracked files, and new ones that are not ignored.
mapfile -t files < <(git ls-files --cached --others --exclude-standard -- '*.bzl' '*.bazel' '*BUILD' | sort -u)
present=()
for file in "${files[@]}"; do
  if [ -f "$file" ]; then present+=("$file"); fi
done
# An application's release has the name of its binary, as the rules' users have long written it.
"$program" --mode=check --lint=warn --warnings=-duplicated-name "${present[@]}"
