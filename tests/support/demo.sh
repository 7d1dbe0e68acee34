#!/bin/bash
# The main job, seen from outside: one command builds the example for all its targets; then what it made is shown and
# proved a second time, from the files alone.
set -euo pipefail
cd "$(dirname "$0")/../.."

example="${EXAMPLE:-examples/hello_fastapi}"
output="${OUTPUT:-dist/demo}"

step() { printf '\n\033[1m$ %s\033[0m\n' "$*" >&2; }

step crossdock image "$example" --output "$output"
started="$(date +%s)"
reference="$(crossdock image "$example" --output "$output")"
echo "$reference"

step "what $output holds ($(($(date +%s) - started)) s)"
python tests/support/show_layout.py "$output"

step crossdock verify "$output"
crossdock verify "$output"
