#!/bin/bash
# Runs a command in the root with Bazel: in-root.sh COMMAND…
# Its system is the root's, and cannot be changed. This machine's other folders are where they are, to be read; to be
# written are /tmp, BAZEL_STATE, and those that BAZEL_WRITABLE lists, with colons between. Configuration of pip, uv and
# apt is this user's own, as it is what names the package indexes; nothing else of the home folder is seen.
set -euo pipefail

# shellcheck source=tests/support/bazel/places.sh
. "$(dirname "$(readlink -f "$0")")/places.sh"

if [ ! -e "$BAZEL_ROOT/.ready" ]; then
  echo "in-root: error: there is no root in $BAZEL_ROOT; run tests/support/setup-bazel.sh" >&2
  exit 1
fi

home=/run/home
mounts=(--tmpfs /)
for name in usr etc var; do
  mounts+=(--ro-bind "$BAZEL_ROOT/$name" "/$name")
done
for name in bin sbin lib lib64; do
  if [ -L "$BAZEL_ROOT/$name" ]; then
    mounts+=(--symlink "usr/$name" "/$name")
  fi
done
# Sandboxes of actions mount a /proc of their own, which the kernel allows only where this one is whole.
mounts+=(--dev-bind /dev /dev --dev-bind /proc /proc --ro-bind /sys /sys --tmpfs /run)
for folder in /*; do
  case "$folder" in
    /bin | /boot | /dev | /etc | /lib* | /lost+found | /proc | /root | /run | /sbin | /sys | /tmp | /usr | /var) ;;
    *) if [ -d "$folder" ] && [ ! -L "$folder" ]; then mounts+=(--ro-bind "$folder" "$folder"); fi ;;
  esac
done
mounts+=(--bind /tmp /tmp --dir "$home")
for name in hosts resolv.conf apt pip.conf; do
  if [ -e "/etc/$name" ] && [ -e "$BAZEL_ROOT/etc/$name" ]; then
    mounts+=(--ro-bind "$(readlink -f "/etc/$name")" "/etc/$name")
  fi
done
for name in .config/pip .config/uv .pip .netrc; do
  if [ -e "$HOME/$name" ]; then
    mounts+=(--ro-bind "$HOME/$name" "$home/$name")
  fi
done
mounts+=(--bind "$BAZEL_STATE" "$BAZEL_STATE")
IFS=: read -ra writable <<<"${BAZEL_WRITABLE:-}"
for folder in "${writable[@]}"; do
  mounts+=(--bind "$folder" "$folder")
done

variables=(--clearenv --setenv HOME "$home" --setenv LC_ALL C.UTF-8 --setenv PATH /usr/sbin:/usr/bin:/sbin:/bin)
while IFS='=' read -r -d '' name value; do
  case "$name" in
    PIP_* | UV_INDEX* | UV_DEFAULT_INDEX | UV_EXTRA_INDEX_URL | UV_FIND_LINKS | CROSSDOCK_* | *_proxy | *_PROXY | SSL_CERT_* | DOCKER_CONFIG)
      variables+=(--setenv "$name" "$value") ;;
  esac
done < <(env -0)

exec bwrap "${mounts[@]}" "${variables[@]}" --chdir "$PWD" -- "$@"
