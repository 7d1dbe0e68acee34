#!/bin/bash
# Bazel 7 on the project around the current folder: bazel.sh ARGUMENTS…
# Modules come from the root and from offline/, not from a registry of modules. The project's folder can be written to
# only if it is in /tmp, in BAZEL_STATE or in BAZEL_WRITABLE: Bazel needs no more than to read it.
set -euo pipefail

here="$(dirname "$(readlink -f "$0")")"
# shellcheck source=tests/support/bazel/places.sh
. "$here/places.sh"

settings="$BAZEL_STATE/offline.bazelrc"
sed "s#@HERE@#$here#" "$here/offline.bazelrc.in" >"$settings.$$"
# A server that reads it must never see half of it.
mv "$settings.$$" "$settings"

exec "$here/in-root.sh" bazel --nohome_rc --bazelrc="$settings" --output_user_root="$BAZEL_STATE/out" \
  --max_idle_secs="${BAZEL_IDLE_SECONDS:-600}" "$@"
