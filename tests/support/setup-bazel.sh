#!/bin/bash
# Prepares what tests of the Bazel rules run: Bazel 7 and BuildBox in a root of their own (see bazel/), and buildifier.
# For Debian and its relatives; needs root (or sudo) only to install mmdebstrap and bubblewrap where they are missing.
# When everything is there it changes nothing and is done at once.
set -euo pipefail

here="$(dirname "$(readlink -f "$0")")"
"$here/bazel/setup-root.sh" >/dev/null
if command -v npm >/dev/null; then
  "$here/buildifier.sh" --version >/dev/null
fi
