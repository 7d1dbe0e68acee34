#!/bin/bash
# Makes the development environment (.venv, or UV_PROJECT_ENVIRONMENT) with uv, and gets uv itself when it is not there.
# Nothing outside the tree is changed but ~/.cache/crossdock-dev (CROSSDOCK_DEV_CACHE). No root is needed.
set -euo pipefail
cd "$(dirname "$0")/../.."

cache="${CROSSDOCK_DEV_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/crossdock-dev}"

say() { printf 'setup-python: %s\n' "$*" >&2; }

is_fitting() {
  "$1" -c 'import sys; sys.exit(sys.implementation.name != "cpython" or sys.version_info < (3, 11))' 2>/dev/null
}

# The first CPython >= 3.11 that is found and really starts: version managers leave launchers that do not.
find_python() {
  local candidate
  for candidate in python3 python3.11 python3.12 python3.13 python3.14 \
    "${PYENV_ROOT:-$HOME/.pyenv}"/versions/*/bin/python3 /usr/bin/python3 /usr/local/bin/python3; do
    if candidate="$(command -v "$candidate")" && is_fitting "$candidate"; then
      # Not the launcher: the interpreter it starts.
      "$candidate" -c 'import os, sys; print(os.path.realpath(sys.executable))'
      return
    fi
  done
}

# pyproject.toml asks for uv >= 0.9.
is_fitting_uv() {
  local version
  version="$("$1" --version 2>/dev/null)" || return 1
  [[ "$version" =~ ^uv\ ([0-9]+)\.([0-9]+) ]] || return 1
  [ "${BASH_REMATCH[1]}" -gt 0 ] || [ "${BASH_REMATCH[2]}" -ge 9 ]
}

find_uv() {
  local candidate
  for candidate in uv "$HOME/.local/bin/uv" "$cache/uv/bin/uv"; do
    if candidate="$(command -v "$candidate")" && is_fitting_uv "$candidate"; then
      echo "$candidate"
      return
    fi
  done
}

install_uv() {
  local python=$1
  say "getting uv into $cache/uv"
  mkdir -p "$cache"
  rm -rf "$cache/uv"
  # Debian's python3 has neither venv's pip nor, often, pip itself.
  if "$python" -m venv "$cache/uv" >/dev/null 2>&1; then
    "$cache/uv/bin/python" -m pip install -q 'uv>=0.9' >&2
  else
    rm -rf "$cache/uv"
    "$python" -m pip install -q --target "$cache/uv" 'uv>=0.9' >&2
  fi
}

python="$(find_python)"
uv="$(find_uv)"
if [ -z "$uv" ]; then
  if [ -z "$python" ]; then
    say "error: neither uv nor a CPython >= 3.11 is found; install one of them"
    exit 1
  fi
  install_uv "$python" || {
    say "error: cannot get uv; install it, or python3-venv or python3-pip for $python, and try again"
    exit 1
  }
  uv="$(find_uv)"
fi

environment="${UV_PROJECT_ENVIRONMENT:-.venv}"
if [ -n "$python" ] && ! is_fitting "$environment/bin/python"; then
  "$uv" sync --quiet --python "$python"
else
  # The environment is there, or no interpreter is and uv may be able to download one.
  "$uv" sync --quiet
fi
