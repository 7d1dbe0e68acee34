#!/bin/bash
# Runs all tests in two lines at a time: most of them wait for programs that use one core. What is given goes to pytest in
# both; where that names a file, a folder or a test, it alone is run, in one line.
set -uo pipefail
cd "$(dirname "$0")/../.."

for argument in "$@"; do
  if [[ "$argument" != -* && -e "${argument%%::*}" ]]; then
    exec python -m pytest "$@"
  fi
done

logs="$(mktemp -d)"
trap 'kill $(jobs -p) 2>/dev/null; rm -rf "$logs"' EXIT

python -m pytest "$@" tests/e2e >"$logs/e2e" 2>&1 &
e2e=$!
python -m pytest "$@" tests/unit tests/integration 2>&1 | tee "$logs/others"
others=$?
echo "run-tests: waiting for the end-to-end tests, which run meanwhile" >&2
wait "$e2e"
status=$?
cat "$logs/e2e"

# Both closing lines as one, in pytest's form.
python - "$logs/e2e" "$logs/others" <<'PYTHON'
import re, sys
from collections import Counter
from pathlib import Path

total, seconds = Counter(), 0.0
for name in sys.argv[1:]:
    lines = re.findall(r"^=* ?(\d+ .*) in ([\d.]+)s", Path(name).read_text(errors="replace"), re.MULTILINE)
    counts, took = lines[-1] if lines else ("1 error", "0")
    for count, what in re.findall(r"(\d+) (\w+)", counts):
        total["error" if what == "errors" else what] += int(count)
    seconds = max(seconds, float(took))
told = ", ".join(f"{count} {what}" for what, count in total.items())
print(f"{'=' * 20} {told} in {seconds:.2f}s, in two lines {'=' * 20}")
PYTHON
[ "$others" -eq 0 ] && [ "$status" -eq 0 ]
