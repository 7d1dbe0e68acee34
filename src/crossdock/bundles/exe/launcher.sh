#!/bin/sh
# @TITLE@
#
# This file is a Python application with a Python of its own, made by crossdock. The script you read unpacks both, which
# follow it as two tar.gz archives, into a cache folder when it runs for the first time; later it only starts them.
#
#   CROSSDOCK_EXE=inspect       print what is inside, as JSON
#   CROSSDOCK_EXE=unpack        unpack, print where it is, and do not start it
#   CROSSDOCK_EXE=python        run the Python inside, with the application's packages, in place of the application
#   CROSSDOCK_EXE_CACHE=FOLDER  unpack below that folder, not below the user's cache folder

cdx_name=@NAME@
cdx_target=@TARGET@
# Where everything is. `crossdock verify` reads these three lines, too.
cdx_size=@SIZE@
cdx_python_start=@PYTHON_START@
cdx_app_start=@APP_START@
cdx_sha256=@SHA256@
cdx_python_folder=@PYTHON_FOLDER@
cdx_app_folder=@APP_FOLDER@
cdx_python=@PYTHON@
cdx_self=$0
cdx_newline='
'
cdx_make_room="make room, or set CROSSDOCK_EXE_CACHE to a folder that has some"

cdx_fail() {
    printf '%s\n' "$cdx_name: error: $1" >&2
    [ -z "${2-}" ] || printf '  %s\n' "why: $2" >&2
    [ -z "${3-}" ] || printf '  %s\n' "hint: $3" >&2
    exit 1
}

cdx_inspect() {
    cat <<'crossdock-end-of-json'
@JSON@
crossdock-end-of-json
}

cdx_check_machine() {
    cdx_machine=$(uname -sm 2>/dev/null) || return 0
    case $cdx_machine in
        @MACHINES@) ;;
        *) cdx_fail "this file is for $cdx_target" "this machine is $cdx_machine" "take the file for this machine" ;;
    esac
}

# What belongs to somebody else is never run. A link may be somebody else's even if what it leads to is not.
cdx_is_own() {
    [ -O "$1" ] && [ ! -L "$1" ]
}

cdx_is_own_or_free() {
    cdx_is_own "$1" || { [ ! -e "$1" ] && [ ! -L "$1" ]; }
}

# A folder gets its name when all of it is there.
cdx_has_python() {
    [ -x "$1/$cdx_python_folder/python/bin/$cdx_python" ] && cdx_is_own "$1/$cdx_python_folder" && [ -O "$1" ]
}

cdx_is_ready() {
    [ -x "$1/$cdx_app_folder/bin/$cdx_python" ] && cdx_is_own "$1/$cdx_app_folder" && cdx_has_python "$1"
}

cdx_can_hold() {
    case $1 in
        *"$cdx_newline"*) return 1 ;; # pyvenv.cfg cannot name it
    esac
    (umask 077 && mkdir -p "$1") 2>/dev/null && [ -O "$1" ] && [ -w "$1" ] && [ -x "$1" ] &&
        cdx_is_own_or_free "$1/$cdx_python_folder" && cdx_is_own_or_free "$1/$cdx_app_folder"
}

# Set cdx_root to a folder if everything is below it, or can be.
cdx_take_root() {
    cdx_root=$1
    # What a link leads to may change between being looked at and being run.
    [ ! -L "$1" ] || cdx_root=$(cd -P "$1" 2>/dev/null && pwd -P) || return
    cdx_is_ready "$cdx_root" || cdx_can_hold "$cdx_root"
}

# In a folder that others can write to, only a sticky bit keeps them from putting theirs in the place of ours.
cdx_is_safe_parent() {
    cdx_listed=$(ls -ldn "$1/" 2>/dev/null) || return 1
    case $cdx_listed in
        d????????[tT]*) return 0 ;;
        d????w* | d???????w*) return 1 ;;
    esac
    # shellcheck disable=SC2086  # its words are wanted
    set -- $cdx_listed
    [ "$3" = 0 ] || [ "$3" = "$(id -u)" ]
}

cdx_is_private() {
    cdx_is_own "$1" || return 1
    case $(ls -ldn "$1" 2>/dev/null) in
        drwx------[!+]*) return 0 ;;
    esac
    return 1
}

cdx_choose_temporary() {
    case ${TMPDIR-} in
        /*) cdx_parent=$TMPDIR ;;
        *) cdx_parent=/tmp ;;
    esac
    cdx_is_safe_parent "$cdx_parent" || return 1
    cdx_root=$cdx_parent/crossdock-exe-$(id -u)
    mkdir -m 700 "$cdx_root" 2>/dev/null
    cdx_is_private "$cdx_root" && cdx_take_root "$cdx_root" && return
    # Somebody was there first. A folder that nobody could foresee is safe, but no later run finds it.
    cdx_root=$(mktemp -d "$cdx_parent/crossdock-exe.XXXXXX" 2>/dev/null) || return
    printf '%s\n' "$cdx_name: warning: unpacking to $cdx_root, which later runs will not use" \
        "  hint: set CROSSDOCK_EXE_CACHE to a folder of your own" >&2
}

# Set cdx_root to the folder below which everything is, or will be.
cdx_choose_root() {
    if [ -n "${CROSSDOCK_EXE_CACHE-}" ]; then
        case $CROSSDOCK_EXE_CACHE in
            /*) cdx_root=$CROSSDOCK_EXE_CACHE ;;
            *) cdx_root=$PWD/$CROSSDOCK_EXE_CACHE ;;
        esac
        cdx_take_root "$cdx_root" || cdx_fail "cannot unpack into $CROSSDOCK_EXE_CACHE" \
            "it cannot be written, or it or what is in it belongs to another user" \
            "set CROSSDOCK_EXE_CACHE to a folder of your own"
        return
    fi
    cdx_root=
    case ${XDG_CACHE_HOME-} in
        /*)
            # What sudo left there is another user's, whom root must not run anything of.
            [ -O "$XDG_CACHE_HOME" ] || [ ! -e "$XDG_CACHE_HOME" ] || [ "$(id -u)" != 0 ] &&
                cdx_root=$XDG_CACHE_HOME/crossdock-exe
            ;;
        *) case ${HOME-} in /*) [ ! -O "$HOME" ] || cdx_root=${HOME%/}/.cache/crossdock-exe ;; esac ;;
    esac
    [ -n "$cdx_root" ] && cdx_take_root "$cdx_root" && return
    cdx_choose_temporary || cdx_fail "there is no folder to unpack into" \
        "neither the cache folder of the user nor $cdx_parent can be used safely" \
        "set CROSSDOCK_EXE_CACHE to a folder of your own"
}

cdx_check_whole() {
    cdx_found=$(wc -c <"$cdx_self") || cdx_fail "$cdx_self cannot be read"
    [ "$((cdx_found))" -eq "$cdx_size" ] || cdx_fail "$cdx_self is not whole" \
        "it has $((cdx_found)) bytes, not $cdx_size" "download it again"
    if command -v sha256sum >/dev/null 2>&1; then
        cdx_found=$(tail -c "+$cdx_python_start" <"$cdx_self" | sha256sum)
    elif command -v shasum >/dev/null 2>&1; then
        cdx_found=$(tail -c "+$cdx_python_start" <"$cdx_self" | shasum -a 256)
    else
        return 0 # the checksums inside the archives have to do
    fi
    [ "${cdx_found%% *}" = "$cdx_sha256" ] || cdx_fail "$cdx_self is damaged" \
        "what it holds has the SHA-256 ${cdx_found%% *}, not $cdx_sha256" "download it again"
}

# shellcheck disable=SC2329  # it is called by name, as is the next
cdx_unpack_python() {
    cdx_said=$(head -c "$((cdx_app_start - 1))" <"$cdx_self" | tail -c "+$cdx_python_start" |
        tar -xzof - -C "$1" 2>&1) ||
        cdx_fail "the Python inside cannot be unpacked into $cdx_root" "${cdx_said%%"$cdx_newline"*}" "$cdx_make_room"
    "$1/python/bin/$cdx_python" -I -S -c @CHECK@ "$cdx_name" </dev/null ||
        cdx_fail "the Python inside cannot run here" \
            "it needs @NEEDS@, and a folder that programs may run from" \
            "CROSSDOCK_EXE_CACHE names another folder than $cdx_root"
}

# shellcheck disable=SC2329
cdx_unpack_app() {
    cdx_said=$(tail -c "+$cdx_app_start" <"$cdx_self" | tar -xzmof - -C "$1" 2>&1) ||
        cdx_fail "the application cannot be unpacked into $cdx_root" "${cdx_said%%"$cdx_newline"*}" "$cdx_make_room"
    {
        mkdir -p "$1/bin" && ln -s "../../$cdx_python_folder/python/bin/$cdx_python" "$1/bin/$cdx_python" &&
            ln -s "$cdx_python" "$1/bin/python3" && ln -s "$cdx_python" "$1/bin/python" && cdx_write_config "$1"
    } || cdx_fail "the application cannot be unpacked into $cdx_root" "" "$cdx_make_room"
}

# Say where the environment's Python is. That has to be an absolute path, so it is looked after in every run.
cdx_write_config() {
    printf '%s\n' "$cdx_home" "include-system-site-packages = false" @VERSION@ >"$1/pyvenv.cfg.$$" &&
        mv -f "$1/pyvenv.cfg.$$" "$1/pyvenv.cfg"
}

# Unpack into a new folder beside the final one, which gets its name when all of it is there: unpack WHAT FOLDER READY
cdx_unpack() {
    cdx_new=$(mktemp -d "$cdx_root/.unpacking.XXXXXX") || cdx_fail "cannot unpack into $cdx_root"
    "$1" "$cdx_new"
    # One that is there by now came from another run; else programs that clean up left half of it.
    [ ! -e "$cdx_root/$2" ] || "$3" "$cdx_root" || rm -rf "${cdx_root:?}/$2"
    mv -f "$cdx_new" "$cdx_root/$2" 2>/dev/null
    rm -rf "${cdx_root:?}/$2/${cdx_new##*/}" "$cdx_new" # where another run was faster
    "$3" "$cdx_root" || cdx_fail "cannot unpack into $cdx_root"
}

cdx_prepare() (
    umask 077
    unset TAR_OPTIONS GZIP
    for cdx_tool in head tail tar gzip mktemp; do
        command -v "$cdx_tool" >/dev/null 2>&1 || cdx_fail "the first run needs the program $cdx_tool"
    done
    cdx_check_whole
    # What is left behind where an earlier run was killed.
    find "$cdx_root" -maxdepth 1 -name '.unpacking.*' -mmin +60 -exec rm -rf {} + 2>/dev/null
    cdx_new=
    trap '[ -z "$cdx_new" ] || rm -rf "$cdx_new"' EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    cdx_has_python "$cdx_root" || cdx_unpack cdx_unpack_python "$cdx_python_folder" cdx_has_python
    cdx_is_ready "$cdx_root" || cdx_unpack cdx_unpack_app "$cdx_app_folder" cdx_is_ready
)

case ${CROSSDOCK_EXE-} in
    inspect) cdx_inspect; exit ;;
    '' | unpack | python) ;;
    *) cdx_fail "CROSSDOCK_EXE is $CROSSDOCK_EXE" "" "it can be inspect, unpack or python" ;;
esac
cdx_check_machine
cdx_choose_root
cdx_home="home = $cdx_root/$cdx_python_folder/python/bin"
cdx_is_ready "$cdx_root" || cdx_prepare || exit
cdx_root=$cdx_root/$cdx_app_folder
cdx_found=
IFS= read -r cdx_found 2>/dev/null <"$cdx_root/pyvenv.cfg"
[ "$cdx_found" = "$cdx_home" ] || cdx_write_config "$cdx_root" 2>/dev/null ||
    cdx_fail "$cdx_root was unpacked for another place" "it was moved, and cannot be written to tell it so" \
        "set CROSSDOCK_EXE_CACHE to a folder that can be written"
case ${CROSSDOCK_EXE-} in
    unpack) printf '%s\n' "$cdx_root"; exit ;;
esac
@ENVIRONMENT@
cdx_found=${CROSSDOCK_EXE-}
unset CROSSDOCK_EXE
[ -z "$cdx_found" ] || exec "$cdx_root/bin/$cdx_python" -I "$@"
exec "$cdx_root/bin/$cdx_python" -I @COMMAND@
exit
