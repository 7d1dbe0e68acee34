#!/bin/sh
# Runs a Python application from its runfiles, on the Python of its version that is on PATH.
set -u
runfiles=
for folder in "$0.runfiles" "${RUNFILES_DIR-}" "${TEST_SRCDIR-}" "${0%.runfiles/*}.runfiles"; do
    if [ -n "$folder" ] && [ -e "$folder/"%{marker} ]; then
        runfiles=$folder
        break
    fi
done
if [ -z "$runfiles" ]; then
    echo "error: the files that $0 needs are not beside it, in $0.runfiles" >&2
    exit 70
fi
case $runfiles in
/*) ;;
*) runfiles=$PWD/$runfiles ;;
esac
python=%{python}
if ! command -v "$python" >/dev/null 2>&1; then
    echo "error: $0 needs $python, which is not on PATH" >&2
    echo "  hint: install it, or start the target without a platform in its name, which brings a Python" >&2
    exit 127
fi
export RUNFILES_DIR="$runfiles"
path=
for import in %{imports}; do
    path=$path${path:+:}$runfiles/$import
done
export PYTHONPATH="$path${PYTHONPATH:+:$PYTHONPATH}"
exec "$python" %{start} "$@"
