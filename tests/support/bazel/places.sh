# Where Bazel of the tests is, and where it keeps what it makes; read by the scripts beside it.
#   CROSSDOCK_BAZEL_ROOT    the root that setup-root.sh makes
#   BAZEL_STATE             folder of output bases, caches and services' files; outside of all source trees

if [ -n "${CROSSDOCK_BAZEL_ROOT:-}" ]; then
  BAZEL_ROOT="$CROSSDOCK_BAZEL_ROOT"
elif [ "$(id -u)" -eq 0 ] || [ -e /opt/bazel-root/.ready ]; then
  BAZEL_ROOT=/opt/bazel-root
else
  BAZEL_ROOT="$HOME/.cache/crossdock-bazel/root"
fi
: "${BAZEL_STATE:=${CROSSDOCK_TEST_CACHE:-$HOME/.cache/crossdock-test}/bazel}"
mkdir -p "$BAZEL_STATE"
BAZEL_STATE="$(readlink -f "$BAZEL_STATE")"
export BAZEL_ROOT BAZEL_STATE
