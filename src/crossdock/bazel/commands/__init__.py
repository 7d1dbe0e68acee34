"""What :mod:`crossdock.bazel.main` starts: one module a command, with its arguments and its effects."""
