#!/bin/bash
# Remote execution as a company has it: a server, BuildGrid, and workers, buildbox-worker, two of them. For Bazel at
# grpc://127.0.0.1:50051.
#   re-buildgrid.sh start [WORKERS] | stop | clean
# The server comes from the package index of the user's configuration into an environment below BAZEL_STATE; its database
# is this system's PostgreSQL, in a cluster of its own. Needs root, as PostgreSQL is run as its own user.
set -euo pipefail

here="$(dirname "$(readlink -f "$0")")"
# shellcheck source=tests/support/bazel/places.sh
. "$here/places.sh"
services="$BAZEL_STATE/buildgrid"
# shellcheck source=tests/support/bazel/services.sh
. "$here/services.sh"
environment="$services/environment"
cluster="$services/postgresql"
port=50051
database_port=54329
connect=(-h 127.0.0.1 -p "$database_port" -U buildgrid)
# SQLAlchemy would choose another driver by itself, which BuildGrid's notifications do not work with.
database="postgresql+psycopg2://buildgrid@127.0.0.1:$database_port/buildgrid"
requirement='buildgrid[database]==0.4.4'

postgresql() {
  local program=$1 folder
  shift
  folder="$(find /usr/lib/postgresql/*/bin -maxdepth 0 2>/dev/null | sort -V | tail -n 1)"
  if [ -z "$folder" ]; then
    say "error: no PostgreSQL here; install the package postgresql"
    exit 1
  fi
  # Not from a folder that PostgreSQL's user may not enter.
  (cd / && runuser -u postgres -- "$folder/$program" "$@")
}

prepare() {
  if [ ! -e "$environment/ready" ]; then
    say "installing BuildGrid into $environment"
    rm -rf "$environment"
    python3 -m venv "$environment"
    "$environment/bin/pip" install --quiet "$requirement"
    touch "$environment/ready"
  fi
  if ! runuser -u postgres -- test -x "$services"; then
    say "error: PostgreSQL's user may not enter $services; name a folder that all may enter in BAZEL_STATE"
    exit 1
  fi
  if [ ! -e "$cluster/data/PG_VERSION" ]; then
    rm -rf "$cluster"
    mkdir -p "$cluster"
    chown postgres "$cluster"
    postgresql initdb -D "$cluster/data" -A trust -U buildgrid >"$services/initdb.log"
  fi
}

start_database() {
  postgresql pg_ctl -D "$cluster/data" -l "$cluster/log" -w -o "-p $database_port -c listen_addresses=127.0.0.1 \
    -c unix_socket_directories=$cluster -c fsync=off" start >/dev/null
  # Anew each time: jobs of workers that are gone would hold up others like them.
  postgresql dropdb --if-exists --force "${connect[@]}" buildgrid
  postgresql createdb "${connect[@]}" buildgrid
  "$environment/bin/bgd" migrate apply "$database" >"$services/migrate.log" 2>&1
}

start_worker() {
  local name=$1 mounts
  mapfile -t mounts < <(runner_mounts)
  mkdir -p "$services/$name"
  start_in_root "$name" buildbox-worker --remote="http://127.0.0.1:$port" --instance= --concurrent-jobs=1 \
    --max-wait-time=5 --platform OSFamily=linux --platform ISA=x86-64 --buildbox-run=/usr/bin/buildbox-run-bubblewrap \
    --runner-arg=--disable-localcas --runner-arg=--workspace-path="$services/$name" "${mounts[@]}" "$name"
}

start() {
  local number
  refuse_port_in_use "$port"
  prepare
  start_database
  mkdir -p "$services/store"
  sed -e "s#@PORT@#$port#" -e "s#@DATABASE@#$database#" -e "s#@STORE@#$services/store#" "$here/buildgrid.yml.in" \
    >"$services/buildgrid.yml"
  start_service server "$environment/bin/bgd" server start "$services/buildgrid.yml"
  await_port "$port" "$services/server.log"
  for number in $(seq "$1"); do
    start_worker "worker$number"
  done
}

# Workers first, so that they can say good-bye.
stop() {
  local file
  for file in "$services"/worker*.pid; do
    [ -e "$file" ] && stop_service "$(basename "$file" .pid)"
  done
  stop_service server
  if [ -e "$cluster/data/postmaster.pid" ]; then
    postgresql pg_ctl -D "$cluster/data" -m fast stop >/dev/null
  fi
}

case "${1:-}" in
  start) start "${2:-2}" ;;
  stop) stop ;;
  clean)
    stop
    rm -rf "$services"
    ;;
  *)
    say "usage: re-buildgrid.sh start [WORKERS] | stop | clean"
    exit 2
    ;;
esac
