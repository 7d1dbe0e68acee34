"""``python -m crossdock.bazel``."""

from crossdock.bazel.main import run

run()
