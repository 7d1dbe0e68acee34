# What the scripts for remote execution share; read by them.

: "${services:?the folder of the files of services}"
mkdir -p "$services"

say() { printf 'remote execution: %s\n' "$*" >&2; }

await_port() {
  local port=$1 log=$2
  for _ in $(seq 300); do
    if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then return; fi
    sleep 0.1
  done
  say "error: nothing answers on port $port; $log ends:"
  tail -n 20 "$log" >&2
  exit 1
}

refuse_port_in_use() {
  if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then
    say "error: something listens on port $1 already; end it first"
    exit 1
  fi
}

# start_service NAME COMMAND…: in the background, in a session of its own; NAME.pid is the process's.
start_service() {
  local name=$1
  shift
  setsid "$@" >"$services/$name.log" 2>&1 </dev/null &
  echo "$!" >"$services/$name.pid"
}

# The same in the root: the id is that of the program itself, not of bubblewrap, which would not pass a signal on.
start_in_root() {
  local name=$1
  shift
  rm -f "$services/$name.pid"
  setsid "$here/in-root.sh" sh -c 'echo $$ >"$0"; exec "$@"' "$services/$name.pid" "$@" \
    >"$services/$name.log" 2>&1 </dev/null &
  for _ in $(seq 100); do
    if [ -s "$services/$name.pid" ]; then return; fi
    sleep 0.1
  done
  say "error: $name does not start; $services/$name.log ends:"
  tail -n 20 "$services/$name.log" >&2
  exit 1
}

stop_service() {
  local name=$1 pid
  pid="$(cat "$services/$name.pid" 2>/dev/null)" || return 0
  rm -f "$services/$name.pid"
  kill "$pid" 2>/dev/null || return 0
  for _ in $(seq 100); do
    kill -0 "$pid" 2>/dev/null || return 0
    sleep 0.1
  done
  kill -KILL "$pid" 2>/dev/null || true
}

# What a command of a remote action sees: the root's programs and nothing of this machine. Links' real paths are named.
runner_mounts() {
  local mount
  for mount in /usr:/usr /usr/lib:/lib /usr/lib64:/lib64 /usr/bin:/bin /etc:/etc; do
    echo "--runner-arg=--ro-bind-mount=$mount"
  done
}
