#!/bin/bash
# Remote execution by one program, buildbox-casd: it stores, remembers and runs. For Bazel at grpc://127.0.0.1:8981.
#   re-casd.sh start | stop | clean      JOBS (2) actions at a time; clean also forgets all it has stored
set -euo pipefail

here="$(dirname "$(readlink -f "$0")")"
# shellcheck source=tests/support/bazel/places.sh
. "$here/places.sh"
services="$BAZEL_STATE/casd"
# shellcheck source=tests/support/bazel/services.sh
. "$here/services.sh"

start() {
  local mounts
  refuse_port_in_use 8980
  refuse_port_in_use 8981
  mapfile -t mounts < <(runner_mounts)
  start_in_root casd buildbox-casd --bind=127.0.0.1:8980 --buildbox-run=/usr/bin/buildbox-run-bubblewrap "${mounts[@]}" \
    --jobs="${JOBS:-2}" --quota-high=4G --log-level=info "$services/store"
  await_port 8980 "$services/casd.log"
  # Bazel 7 speaks version 2.0 of the protocol, which buildbox-casd does not say it serves.
  start_in_root capproxy python3 -I "$here/capproxy.py" 127.0.0.1:8981 127.0.0.1:8980
  await_port 8981 "$services/capproxy.log"
}

stop() {
  stop_service capproxy
  stop_service casd
}

case "${1:-}" in
  start) start ;;
  stop) stop ;;
  clean)
    stop
    rm -rf "$services"
    ;;
  *)
    say "usage: re-casd.sh start | stop | clean"
    exit 2
    ;;
esac
