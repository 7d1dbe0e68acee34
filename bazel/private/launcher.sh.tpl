#!/bin/sh
# Starts crossdock with what this target was built of. Arguments are handed on.
set -u
main=%{main}
runfiles=
for folder in "${RUNFILES_DIR-}" "${TEST_SRCDIR-}" "$0.runfiles" "${0%.runfiles/*}.runfiles"; do
    if [ -n "$folder" ] && [ -e "$folder/$main/"%{marker} ]; then
        runfiles=$folder
        break
    fi
done
if [ -z "$runfiles" ]; then
    echo "error: the files that $0 needs are not beside it" >&2
    echo "  hint: start it by 'bazel run' or 'bazel test', with --enable_runfiles" >&2
    exit 70
fi
cd "$runfiles/$main" || exit 70
%{commands}
